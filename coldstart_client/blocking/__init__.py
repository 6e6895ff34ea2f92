# Made from coldstart_client/aio/__init__.py by `make docs`: change that.
