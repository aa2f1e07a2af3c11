"""One process of the real server for the bench: settings from the command line, and the fetch log switched off when asked."""

from provisioner import garbage


def main() -> None:
    garbage.rest()  # before the server is loaded, as the command does
    from tests.bench.serving import main as serve

    serve()


if __name__ == "__main__":
    main()
