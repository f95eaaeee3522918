"""All demands on one method go to one process, which compiles its programs once."""

import pytest


def pytest_collection_modifyitems(items):
    """Groups by the parameter `name`."""
    for item in items:
        name = getattr(item, "callspec", None) and item.callspec.params.get("name")
        if isinstance(name, str):
            item.add_marker(pytest.mark.xdist_group(name))
