"""The migrations of a store's schema, from each revision to the next; a file that shipped is never changed."""
