"""SQL shared by the agents that keep records: engines, migrations, grouped commits."""
