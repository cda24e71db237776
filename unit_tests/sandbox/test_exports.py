import polygon_sandbox


def test_the_door_is_sorted_and_complete() -> None:
    assert polygon_sandbox.__all__ == sorted(polygon_sandbox.__all__)
    assert all(hasattr(polygon_sandbox, name) for name in polygon_sandbox.__all__)
