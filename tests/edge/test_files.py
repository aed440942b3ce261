"""`hub edge encode`: a CSV in any common shape becomes a CSV without a single readable fact."""

import csv
from pathlib import Path

import pytest

from hub.edge import EdgeEncoder, FileKey, PersonFields, UnknownColumns
from hub.edge.columns import read_table
from hub.edge.files import blocks_text, encode_file, identity_of


def test_a_file_of_persons_becomes_a_file_of_encodings(tmp_path: Path) -> None:
    """The same bytes as the library gives, and no name in the output."""
    key = FileKey.generate()
    key.save(tmp_path / "key")
    (tmp_path / "in.csv").write_text(
        "record_id;voornaam;achternaam;geboortedatum;postcode;huisnummer\n"
        "r1;Anna;de Vries;03-04-1991;3512 AB;12\nr2;Bo;;;;\n",
        "utf-8",
    )
    assert encode_file(tmp_path / "in.csv", tmp_path / "key", tmp_path / "out.csv") == 2
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    anna = PersonFields(
        given_names="Anna", surname="de Vries", birth_date="1991-04-03", postcode="3512AB", house_number="12"
    )
    assert identity_of(1, rows[0]["blocks"]) == EdgeEncoder(key).encode(anna)
    assert rows[1]["blocks"] == ""
    assert "Vries" not in (tmp_path / "out.csv").read_text("utf-8")


def test_blocks_survive_their_text() -> None:
    """What is written can be read back."""
    identity = EdgeEncoder(FileKey.derived("t")).encode(
        PersonFields(surname="Bakker", birth_date="1990-02-03", given_names="Eva")
    )
    assert identity_of(1, blocks_text(identity)) == identity


@pytest.mark.parametrize(
    ("header", "row", "field", "value"),
    [
        ("by,bm,bd,lname_c1", "1949,7,22,Meier", "birth_date", "1949-7-22"),
        ("DOB_DAY,DOB_MON,DOB_YEAR,PERNAME2", "2,11,1950,Smith", "birth_date", "1950-11-2"),
        ("dob,surname", "19081209,x", "birth_date", "19081209"),
        ("date_of_birth,last_name", "12/25/1980,Jones", "birth_date", "1980-12-25"),
        ("geboortedatum,achternaam", "25-12-1980,Bos", "birth_date", "1980-12-25"),
        ("full_name,dob", "Jan de Boer,1980-01-01", "surname", "de Boer"),
        ("first_name,middle_initial,last_name", "Ann,B,Lee", "given_names", "Ann B"),
        ("zipcode,last_name", "01234,Lee", "postcode", "01234"),
        ("soc_sec_id,surname", "6988048,waller", "national_id", "6988048"),
        ("address,surname", "12 High Street,Lee", "house_number", "12"),
        ("contact,surname", "a@b.nl,Lee", "email", "a@b.nl"),
        ("hse_num,enumcap,pername2", "4,4 High St,Lee", "house_number", "4"),
        ("patient_first_name,surname", "Ann,Lee", "given_names", "Ann"),
        ("mailing_address_zipcode,surname", "01234,Lee", "postcode", "01234"),
        ("clientGeboortedatum,achternaam", "25-12-1980,Bos", "birth_date", "1980-12-25"),
        ("employer_zipcode,surname", "01234,Lee", "postcode", ""),
        ("gp_first_name,surname", "Ann,Lee", "given_names", ""),
    ],
)
def test_common_column_names_are_recognised(tmp_path: Path, header: str, row: str, field: str, value: str) -> None:
    """Names of columns differ between every two administrations."""
    (tmp_path / "p.csv").write_text(f"record_id,{header}\n1,{row}\n", "utf-8")
    assert getattr(read_table(tmp_path / "p.csv").persons[0], field) == value


@pytest.mark.parametrize("text", ["", "record_id,colour\n1,red\n", "record_id,surname\n1,a\n1,b\n"])
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, text: str) -> None:
    """No columns, or an id twice."""
    (tmp_path / "p.csv").write_text(text, "utf-8")
    with pytest.raises(UnknownColumns, match="expected"):
        read_table(tmp_path / "p.csv")


def test_a_date_of_thousands_of_digits_is_a_typing_error_like_any_other(tmp_path: Path) -> None:
    """Python reads no number of more than 4,300 digits; such a cell must not end the file."""
    file = tmp_path / "persons.csv"
    file.write_text("record_id,surname,birth_date\n1,Jansen,1-" + "2" * 5000 + "-1990\n2,Bakker,13-2-1991\n", "utf-8")
    assert read_table(file).persons[1].birth_date == "1991-2-13"
