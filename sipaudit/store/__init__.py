"""What was found, kept in a database: any period of it can be reported again."""
