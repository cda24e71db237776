from maintenance.mutants import ROOMS, ROOT, explained


def test_what_is_said_to_survive_is_in_the_code() -> None:
    modules = {module for room in ROOMS.values() for module in room.modules}
    for (module, before, after), why in explained().items():
        assert module in modules, module
        lines = [line.strip() for line in (ROOT / module).read_text().splitlines()]
        assert before in lines, f"{module} has no line {before!r} any more"
        assert before != after
        assert why.endswith("."), f"a sentence says why {after!r} cannot be noticed"


def test_rooms_name_files_that_are_there() -> None:
    for room in ROOMS.values():
        for file in (*room.modules, *room.tests):
            assert (ROOT / file).is_file(), file
