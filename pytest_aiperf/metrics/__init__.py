"""One class per metric: tag, unit, direction, formula over the columns of a run. Nothing infers a direction."""
