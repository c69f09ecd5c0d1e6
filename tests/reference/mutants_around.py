"""Mistakes in what stands around every rule: function -> mutant -> (what stands there, what is written instead)."""

from __future__ import annotations

Edits = dict[str, tuple[str, str]]
_CALL = "p.x, p.state = rule(p.x, p.g, p.state, t, p.h)"
_EACH = "for p in parts:"
_TABLE = '"decoupled": each(decoupled),\n        "rule": of_rule(RULES[name]),\n        "l1": each(l1),\n'

AROUND_MUTANTS: dict[str, Edits] = {
    "of_rule": {
        "no_op": (_CALL, "pass"),
        "reversed_direction": (_CALL, f"was = p.x; {_CALL}; p.x = was + (was - p.x)"),
        "stale_state": (_CALL, "p.x, _ = rule(p.x, p.g, p.state, t, p.h)"),
        "state_lost": ("p.state, t", "{name: 0.0 * array for name, array in p.state.items()}, t"),
        "step_count_ahead": ("p.state, t", "p.state, t + 1"),
        "step_count_behind": ("p.state, t", "p.state, max(t - 1, 1)"),
        "lr_off_by_1e-5": ("t, p.h", 't, p.h | {"lr": p.h["lr"] * (1 + 1e-5)}'),
        "gradient_of_the_neighbour": ("p.g,", "p.g[np.arange(p.g.value.size) - 1],"),
        "last_element_untouched": (_CALL, f"was = p.x; {_CALL}; p.x = joined([p.x[:-1], was[-1:]])"),
    },
    "hyperparameters": {
        "schedule_ignored": ('"lr": p.lr * ratio', '"lr": p.opt.lr * ratio'),
        "group_ignored": ("| group |", "|"),
        "lr_of_group_ignored": ('"lr": p.lr * ratio', '"lr": p.lr'),
        "schedule_ignored_in_groups": ('"lr": p.lr * ratio', '"lr": p.lr if ratio == 1 else p.opt.lr * ratio'),
    },
    "sign": {"maximize_ignored": ('-p.g if p.h["maximize"] else p.g', "p.g")},
    "clip_norm": {
        "norm_not_clipped": ("p.g = p.g * factor", "pass"),
        "always_scaled_to_the_bound": (
            "minimum(bound / (norm(joined([p.g for p in parts])) + 1e-6), 1.0)",
            "bound / (norm(joined([p.g for p in parts])) + 1e-6)",
        ),
        "norm_clipped_by_element": ("p.g = p.g * factor", "p.g = maximum(minimum(p.g, bound), -bound)"),
        "norm_of_each_segment": ("p.g = p.g * factor", "p.g = p.g * minimum(bound / (norm(p.g) + 1e-6), 1.0)"),
        "norm_of_the_first_segment": ("norm(joined([p.g for p in parts]))", "norm(parts[0].g)"),
    },
    "clip_value": {
        "values_not_clipped": ("p.g = maximum(minimum(p.g, bound), -bound)", "pass"),
        "clipped_above_only": ("maximum(minimum(p.g, bound), -bound)", "minimum(p.g, bound)"),
        "values_clipped_by_norm": (
            "maximum(minimum(p.g, bound), -bound)",
            "p.g * minimum(bound / (norm(p.g) + 1e-6), 1.0)",
        ),
    },
    "coupled": {
        "no_decay": ('p.g + p.h["weight_decay"] * p.x', "p.g"),
        "flipped_decay_sign": ('p.g + p.h["weight_decay"] * p.x', 'p.g - p.h["weight_decay"] * p.x'),
        "decoupled_for_coupled": (
            'p.g = p.g + p.h["weight_decay"] * p.x',
            'p.x = p.x * (1 - p.h["lr"] * p.h["weight_decay"])',
        ),
        "decay_twice": ("p.x\n", "p.x * 2\n"),
        "decay_turned_uphill": ('+ p.h["weight_decay"]', '+ (-1) ** p.h["maximize"] * p.h["weight_decay"]'),
    },
    "decoupled": {
        "no_decoupled_decay": ('p.x = p.x * (1 - p.h["lr"] * p.h["weight_decay"])', "pass"),
        "flipped_decoupled_sign": ("(1 - p.h", "(1 + p.h"),
        "coupled_for_decoupled": (
            'p.x = p.x * (1 - p.h["lr"] * p.h["weight_decay"])',
            'p.g = p.g + p.h["weight_decay"] * p.x',
        ),
        "decoupled_not_scaled_by_lr": ('p.h["lr"] * p.h["weight_decay"]', 'p.h["weight_decay"]'),
    },
    "l1": {
        "prox_ignored": ("p.x = Rounded(", "Rounded("),
        "subgradient_for_prox": (
            "p.x = Rounded(np.sign(p.x.value) * size.value, size.error, size.eps)",
            'p.x = p.x - np.sign(p.x.value) * (p.h["lr"] * p.h["l1"])',
        ),
        "prox_not_scaled_by_lr": ('p.h["lr"] * p.h["l1"]', 'p.h["l1"]'),
        "hard_threshold": ("size.value, size.error", "np.where(size.value > 0, np.abs(p.x.value), 0.0), size.error"),
    },
    "max_norm": {
        "projection_ignored": ("p.x = p.x * minimum(bound / size, 1.0)", "pass"),
        "projected_by_element": ("p.x * minimum(bound / size, 1.0)", "maximum(minimum(p.x, bound), -bound)"),
        "projected_by_segment": ("minimum(bound / size, 1.0)", "minimum(bound / norm(p.x), 1.0)"),
        "always_onto_the_sphere": (
            f"if size.value + size.error > bound:\n        {_EACH}\n            p.x = p.x * minimum(bound / size, 1.0)",
            f"{_EACH}\n        p.x = p.x * (bound / size)",
        ),
    },
    "stages_of": {
        "clipped_by_value_first": (
            '"clip_norm": clip_norm,\n        "clip_value": each(clip_value),',
            '"clip_value": each(clip_value),\n        "clip_norm": clip_norm,',
        ),
        "clipped_after_decay": (
            '"clip_norm": clip_norm,\n        "clip_value": each(clip_value),\n        "coupled": each(coupled),',
            '"coupled": each(coupled),\n        "clip_norm": clip_norm,\n        "clip_value": each(clip_value),',
        ),
        "decoupled_after_the_rule": (
            _TABLE,
            '"rule": of_rule(RULES[name]),\n"decoupled": each(decoupled), "l1": each(l1),\n',
        ),
        "prox_before_the_rule": (
            _TABLE,
            '"decoupled": each(decoupled), "l1": each(l1), "rule": of_rule(RULES[name]),\n',
        ),
        "projection_before_the_prox": (
            '"l1": each(l1),\n        "max_norm": max_norm,',
            '"max_norm": max_norm, "l1": each(l1),',
        ),
    },
}
