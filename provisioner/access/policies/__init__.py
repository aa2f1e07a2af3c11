"""Credential policies: the rule that says how a device must prove who it is.

A policy is a small expression over conditions, such as `certificate or (password and network)`.
"""
