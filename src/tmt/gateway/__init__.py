"""The gateway: the desk's page, REST API and stream, for people and programs who say who they are."""
