"""A fleet of phones written again from the specification (reference-model.md), apart from the model that judges them.

The phones *behave*: they wait, ask, give up, move on and come back; what an observer would see of that is written down
as model events.  Where the specification leaves a choice open, each phone draws one (`habits.py`), so that together
they do all that is allowed.  A phone can also be told to break one rule (`wrongs.py`), and notes when it did.

    clock.py    time and tasks              wire.py      requests, answers, and the events an observer has of them
    habits.py   settings and open choices   servers.py   how servers fail, and how they answer when they do not
    line.py     registration, failover, failback of a line     calls.py  what users and far ends do
    phone.py    what lines share            story.py     a seed becomes a history; court.py has it judged
"""
