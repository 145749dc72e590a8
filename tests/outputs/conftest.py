from tests.cli.conftest import sipaudit_command

__all__ = ["sipaudit_command"]
