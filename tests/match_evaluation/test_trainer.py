"""The trainer learns without labels, and steals no true pair."""

from hub.domain.identity import FIELDS
from hub.domain.match_model import LEVELS, Scorer, check_model, pattern_of
from hub.match_evaluation.trainer import STORIES, fit, model_of, prior_parts, train

TOP = {field.name: LEVELS[i] - 1 for i, field in enumerate(FIELDS)}


def pattern(**levels: int) -> int:
    return pattern_of([levels.get(field.name, 0) for field in FIELDS])


SAME = pattern(
    given_name=TOP["given_name"], surname=TOP["surname"], birth_date=TOP["birth_date"], postcode=TOP["postcode"]
)
CHANCE = pattern(given_name=1, surname=1, birth_date=TOP["birth_date"], postcode=1)
TWINS = pattern(
    given_name=1, surname=TOP["surname"], birth_date=TOP["birth_date"], postcode=TOP["postcode"], national_id=1, phone=1
)


def test_a_trained_model_tells_one_person_from_chance_and_from_twins() -> None:
    """From counts alone."""
    scorer = Scorer(
        train([(False, SAME, 60), (False, CHANCE, 300), (False, TWINS, 5), (True, TWINS, 3)], prior_parts(), "t", 10.0)
    )
    assert check_model(scorer.model) is None
    assert scorer.score(SAME) > 2000 and scorer.score(CHANCE) < 0 and scorer.score(TWINS) < 0


def test_those_who_meet_by_chance_are_not_taken_for_one_person_with_errors() -> None:
    """Names and a birth date are all there is: blocks bring together who shares one name and most of a date.

    Without a story for them, EM would explain these many by one person, and the clients by namesakes.
    """
    same = pattern(given_name=6, surname=6, birth_date=7)
    mistyped = pattern(given_name=6, surname=6, birth_date=5)
    chance = [pattern(given_name=6, surname=1, birth_date=5), pattern(given_name=1, surname=5, birth_date=3)]
    namesakes = pattern(given_name=6, surname=6, birth_date=1)
    counts = [(False, same, 300), (False, mistyped, 190), (False, namesakes, 1500)]
    counts += [(False, one, 500) for one in chance]
    scorer = Scorer(train(counts, prior_parts(), "t"))
    assert scorer.score(same) > 2000 and scorer.score(mistyped) > 2000
    assert all(scorer.score(one) < 0 for one in (*chance, namesakes))


def test_nothing_learned_is_the_prior() -> None:
    """A cold start has the committed figures."""
    parts, shares = fit([], prior_parts())
    assert parts == prior_parts()
    assert abs(sum(shares) - 1) < 1e-9 and len(shares) == len(STORIES)


def test_pairs_inside_a_provider_are_never_one_person() -> None:
    """However alike they are: the share of one person rests on pairs across providers only."""
    _, alone = fit([(False, CHANCE, 100)], prior_parts())
    _, beside = fit([(False, CHANCE, 100), (True, SAME, 1000)], prior_parts(), 1.0)
    assert beside[0] <= alone[0] + 1e-3


def test_relatives_do_not_take_the_errors_of_one_person() -> None:
    """A wrong given name at one address looks like a twin; without evidence inside providers twins stay rare."""
    wrong_name = pattern(given_name=1, surname=TOP["surname"], birth_date=TOP["birth_date"], postcode=TOP["postcode"])
    _, shares = fit([(False, SAME, 400), (False, wrong_name, 50)], prior_parts())
    twins = next(i for i, story in enumerate(STORIES) if story.name == "twins")
    assert shares[twins] <= 0.011


def test_weights_are_whole_millibits_of_probabilities() -> None:
    """Nothing a fold could round differently."""
    for explanation in model_of(prior_parts(), [story.share for story in STORIES], "t").explanations:
        assert all(type(weight) is int and weight <= 0 for row in explanation.weights_millibits for weight in row)
