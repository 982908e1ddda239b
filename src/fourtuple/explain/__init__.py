"""Facts -> words: findings with stable codes, a sentence for every segment, in two languages."""

from fourtuple.explain.catalog import RULES, findings

__all__ = ["RULES", "findings"]
