"""Phone provisioning and device management: who has which phone, which identity, which settings."""

__version__ = "0.1.0"
