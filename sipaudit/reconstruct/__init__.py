"""From messages to lines: transactions, dialogs, registrations, and the events the model replays."""
