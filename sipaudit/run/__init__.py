"""The parts of the route that only the pipeline joins: the job, the replay of all lines, the report's assembly."""
