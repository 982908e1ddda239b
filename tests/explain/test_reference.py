"""The catalog as a page of the documentation."""

from fourtuple.explain.catalog import RULES
from fourtuple.explain.reference import findings_markdown


def test_every_rule_has_its_section_with_all_four_parts():
    page = findings_markdown()
    for rule in RULES.values():
        section = page.split(f"\n## {rule.code}\n")[1].split("\n## ")[0]
        assert f"| [{rule.code}](#{rule.code}) | {rule.severity} | {rule.title} |" in page
        for part in (rule.title, rule.severity, rule.what, rule.why, rule.remedy, rule.reference):
            assert part in section
