"""What every Alembic folder's `env.py` does: run the revisions on the connection that `migrate` opened."""

from alembic import context


def run() -> None:
    """Run the pending revisions."""
    context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
