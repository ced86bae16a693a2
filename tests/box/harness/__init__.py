"""The black-box harness: plays chats against real realms. See tests/README.md."""
