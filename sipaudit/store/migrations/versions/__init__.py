"""The forms that a store has had, one after the other; a file that shipped is never changed."""
