"""What a source's YAML says of where its data lies: the keys of each connector."""

# The keys that say where the data of a source lies, by the connector whose they are.
INTERVAL = frozenset({"by_time", "start", "overlap_hours", "window_days"})
KEYS: dict[str, frozenset[str]] = {
    "files": frozenset({"path", "format", "delimiter", "encoding", "broken_files"}),
    "sql": frozenset({"connection", "table", "query", "by_key", "overlap_keys"}) | INTERVAL,
    "python": frozenset({"connection", "function", "options"}) | INTERVAL,
}
PLACES = frozenset().union(*KEYS.values())
# Of a connector of somebody else's, which says itself what it needs.
OTHERS = frozenset({"connection", "options"}) | INTERVAL
NEEDED = {
    "files": {"path": "a file, a folder or a glob"},
    "sql": {"connection": "the name of an Airflow connection"},
    "python": {"function": "a function of yours, like my_package.orders:read"},
}
