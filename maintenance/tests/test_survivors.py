from maintenance.mutants import ROOMS, ROOT, explained


def test_what_is_said_to_survive_is_of_a_room_and_has_a_reason() -> None:
    modules = {module for room in ROOMS.values() for module in room.modules}
    for (module, before, after), why in explained().items():
        assert module in modules, module
        assert before != after
        assert why.endswith("."), f"a sentence says why {after!r} cannot be noticed"


def test_rooms_name_files_that_are_there() -> None:
    for room in ROOMS.values():
        for file in (*room.modules, *room.tests):
            assert (ROOT / file).is_file(), file
