"""Mistakes in the rules: function -> (optimizers that it serves, mutant -> (what stands there, what is written))."""

from __future__ import annotations

Edits = dict[str, tuple[str, str]]

ADAM, BETA = ("Adam",), ("Adam", "AdamW", "NAdam", "LAMB")
OF_AVERAGES = ("AveragedMomentum", "Adadelta", "RMSprop", *BETA, "Adamax")

RULE_MUTANTS: dict[str, tuple[tuple[str, ...], Edits]] = {
    "average": (
        OF_AVERAGES,
        {
            "accumulated_not_averaged": ("beta * old + (1 - beta) * new", "beta * old + new"),
            "weights_swapped": ("beta * old + (1 - beta) * new", "(1 - beta) * old + beta * new"),
            "average_without_memory": ("beta * old + (1 - beta) * new", "(1 - beta) * new"),
        },
    ),
    "moments": (
        BETA,
        {
            "averages_swapped": ('average(s["exp_avg"], g, betas[0])', 'average(s["exp_avg"], g * g, betas[0])'),
            "betas_swapped": ('average(s["exp_avg"], g, betas[0])', 'average(s["exp_avg"], g, betas[1])'),
            "beta1_for_both": ("g * g, betas[1])", "g * g, betas[0])"),
            "magnitude_for_square": ("g * g, betas[1])", "absolute(g), betas[1])"),
        },
    ),
    "sgd": (
        ("SGD",),
        {
            "momentum_ignored": ('h["momentum"] * s["momentum_buffer"] + ', ""),
            "momentum_averaged": ('(1 - h["dampening"]) * g', '(1 - h["momentum"]) * g'),
            "dampening_ignored": ('(1 - h["dampening"]) * g', "g"),
            "dampening_on_first_step": ("v = g if t == 1 else", "v ="),
            "nesterov_ignored": ('g + h["momentum"] * v if h["nesterov"] else v', "v"),
            "nesterov_without_gradient": (
                'g + h["momentum"] * v if h["nesterov"]',
                'h["momentum"] * v if h["nesterov"]',
            ),
            "lr_inside_velocity": ('+ (1 - h["dampening"]) * g', '+ h["lr"] * (1 - h["dampening"]) * g'),
        },
    ),
    "heavy_ball": (
        ("HeavyBall",),
        {
            "lr_outside_velocity": ("return x + delta", 'return x + h["lr"] * delta'),
            "momentum_ignored": ('h["momentum"] * s["delta"] - ', "-"),
            "momentum_averaged": ('- h["lr"] * g', '- (1 - h["momentum"]) * h["lr"] * g'),
        },
    ),
    "averaged_momentum": (
        ("AveragedMomentum",),
        {"bias_corrected": ('x - h["lr"] * v', 'x - h["lr"] * v / one_minus_power(v, h["momentum"], t)')},
    ),
    "adagrad": (
        ("Adagrad",),
        {
            "lr_decay_ignored": ('(t - 1) * h["lr_decay"]', "0"),
            "lr_decay_counts_from_1": ('(t - 1) * h["lr_decay"]', 't * h["lr_decay"]'),
            "eps_inside_root": ('(sqrt(total) + h["eps"])', 'sqrt(total + h["eps"])'),
            "root_missing": ("sqrt(total)", "total"),
            "sum_without_memory": ('s["sum"] + g * g', "g * g"),
        },
    ),
    "adadelta": (
        ("Adadelta",),
        {
            "eps_outside_roots": ('sqrt(square + h["eps"])', '(sqrt(square) + h["eps"])'),
            "eps_in_one_root_only": ('sqrt(s["acc_delta"] + h["eps"])', 'sqrt(s["acc_delta"])'),
            "roles_swapped": ('sqrt(s["acc_delta"] + h["eps"]) / sqrt(square', 'sqrt(square) / sqrt(s["acc_delta"]'),
            "lr_ignored": ('h["lr"] * d', "d"),
            "lr_inside_average": ("d * d", '(h["lr"] * d) * (h["lr"] * d)'),
        },
    ),
    "rmsprop": (
        ("RMSprop",),
        {
            "centered_ignored": ('variance - new["grad_avg"] * new["grad_avg"]', "variance"),
            "mean_not_squared": ('new["grad_avg"] * new["grad_avg"]', 'new["grad_avg"]'),
            "momentum_ignored": ('h["momentum"] * s["momentum_buffer"] + move', "move"),
            "momentum_averaged": ("+ move\n", '+ (1 - h["momentum"]) * move\n'),
            "lr_inside_buffer": ("+ move\n", '+ h["lr"] * move\n'),
            "eps_inside_root": ('(sqrt(variance) + h["eps"])', 'sqrt(variance + h["eps"])'),
        },
    ),
    "adam": (
        ADAM,
        {
            "no_bias_correction": ('if h["bias_correction"]', "if False"),
            "bias_correction_always": ('if h["bias_correction"]', "if True"),
            "only_mean_corrected": ('v / one_minus_power(v, h["betas"][1], t)', "v"),
            "only_square_corrected": ('m / one_minus_power(m, h["betas"][0], t)', "m"),
            "betas_swapped_in_correction": (
                'one_minus_power(m, h["betas"][0], t)',
                'one_minus_power(m, h["betas"][1], t)',
            ),
            "correction_counts_from_0": (
                'one_minus_power(v, h["betas"][1], t)',
                'one_minus_power(v, h["betas"][1], t + 1)',
            ),
            "eps_inside_root": ('(sqrt(v) + h["eps"])', 'sqrt(v + h["eps"])'),
            "eps_ignored": ('(sqrt(v) + h["eps"])', "sqrt(v + 1e-30)"),
            "root_missing": ("sqrt(v)", "v"),
            "amsgrad_without_memory": ('maximum(s["max_exp_avg_sq"], v)', "v"),
            "amsgrad_ignored": (
                'v = new["max_exp_avg_sq"] = maximum(s["max_exp_avg_sq"], v)',
                'new["max_exp_avg_sq"] = maximum(s["max_exp_avg_sq"], v)',
            ),
        },
    ),
    "adamax": (
        ("Adamax",),
        {
            "no_bias_correction": ('one_minus_power(m, h["betas"][0], t)', "1.0"),
            "square_corrected_too": ("(m / u)", '(m / u * one_minus_power(m, h["betas"][1], t))'),
            "betas_swapped": ('h["betas"][1] * s["exp_inf"]', 'h["betas"][0] * s["exp_inf"]'),
            "eps_outside_maximum": ('absolute(g) + h["eps"])', 'absolute(g)) + h["eps"]'),
            "sum_for_maximum": (
                'maximum(h["betas"][1] * s["exp_inf"], absolute',
                '(h["betas"][1] * s["exp_inf"] + absolute',
            ),
            "average_for_gradient": ("absolute(g)", "absolute(m)"),
        },
    ),
    "warm_momentum": (
        ("NAdam",),
        {
            "momentum_decay_ignored": ("(t * decay)", "(t * 4e-3)"),
            "momentum_does_not_warm_up": ("beta1 * (1 - 0.5 * 0.96 ** (t * decay))", "beta1"),
            "wrong_base": ("0.96", "0.95"),
        },
    ),
    "nadam": (
        ("NAdam",),
        {
            "mu_product_missing": ("math.prod(mu[:-1])", "mu[-2]"),
            "mu_product_one_step_ahead": ("math.prod(mu[:-1])", "math.prod(mu)"),
            "power_for_mu_product": ("math.prod(mu[:-1])", 'h["betas"][0] ** t'),
            "mu_of_this_step_ahead": ("+ mu[-1] / (1", "+ mu[-2] / (1"),
            "no_look_ahead": ("(1 - mu[-2]) / (1 - product) * g +", "0.0 * g +"),
            "square_not_corrected": (' / one_minus_power(x, h["betas"][1], t)', ""),
            "eps_inside_root": ('(sqrt(v) + h["eps"])', 'sqrt(v + h["eps"])'),
        },
    ),
    "trust_ratio": (
        ("LARS", "LAMB"),
        {
            "missing_trust_ratio": ("else quotient", "else 1.0"),
            "zero_norm_stops": ("return 1.0", "return 0.0"),
            "only_one_norm_may_be_zero": ("weights.value == 0 or ", ""),
        },
    ),
    "lars": (
        ("LARS",),
        {
            "trust_coefficient_ignored": ('h["trust_coefficient"] * w_norm', "w_norm"),
            "decay_missing_in_norm": ("g_norm + decay * w_norm", "g_norm"),
            "norm_of_decayed_gradient": ("norm(g), h", 'norm(g + h["weight_decay"] * x), h'),
            "decay_missing_in_step": ("(g + decay * x)", "g"),
            "eps_ignored": ('decay * w_norm + h["eps"]', "decay * w_norm"),
            "lr_outside_velocity": ("return x - v", 'return x - h["lr"] * v'),
            "momentum_ignored": ('h["momentum"] * s["momentum_buffer"] + ', ""),
            "square_for_norm": ("= norm(x), norm(g)", "= norm(x) * norm(x), norm(g)"),
        },
    ),
    "lamb": (
        ("LAMB",),
        {
            "mean_not_corrected": (' / one_minus_power(x, h["betas"][0], t)', ""),
            "square_not_corrected": (' / one_minus_power(x, h["betas"][1], t)', ""),
            "decay_outside_norm": ("norm(x), norm(u)", 'norm(x), norm(u - h["weight_decay"] * x)'),
            "decay_ignored": ('+ h["weight_decay"] * x', ""),
            "ratio_upside_down": ("w_norm / u_norm", "u_norm / w_norm"),
            "eps_inside_root": ('(sqrt(v) + h["eps"])', 'sqrt(v + h["eps"])'),
        },
    ),
}
