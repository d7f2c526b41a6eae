"""
Logistic regression on embeddings: hf_ssl's solver against scikit-learn's, to the same objective.

    python benchmarks/linear.py

60 000 x 512, ten classes: a mean for each class, and noise whose deviation falls from direction to direction as an
encoder's does, in a random rotation. Both start at zero, on standardised float32 features, at one strength each.
"""

import argparse

import torch
import torch.nn.functional as F
from alternating import OURS, alternate, case, write
from sklearn.linear_model import LogisticRegression

from hf_ssl.evaluation.linear import fit_logistic

CLASSES = 10


def embeddings(samples: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (samples,), generator=generator)
    spread = torch.arange(1, dim + 1).rsqrt()
    rotation = torch.linalg.qr(torch.randn(dim, dim, generator=generator)).Q
    means = torch.randn(CLASSES, dim, generator=generator)[labels] / 2
    x = (means + torch.randn(samples, dim, generator=generator)) * spread @ rotation
    return (x - x.mean(0)) / x.std(0), labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--strengths", type=float, nargs="+", default=[1.0, 100.0, 10_000.0], help="of L2")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    x, y = embeddings(args.samples, args.dim)

    def contestants(l2: float):
        found = {}

        def ours():
            found[OURS] = fit_logistic(x, y, CLASSES, l2)
            return len(x)

        def by_scikit_learn():
            solver = LogisticRegression(C=1 / l2, max_iter=1000, tol=1e-5).fit(x.numpy(), y.numpy())
            found["scikit-learn"] = torch.from_numpy(solver.coef_.T), torch.from_numpy(solver.intercept_)
            return len(x)

        return found, {OURS: ours, "scikit-learn": by_scikit_learn}

    cases = []
    for l2 in args.strengths:
        found, functions = contestants(l2)
        cases.append(case(f"{args.samples} x {args.dim}, L2 {l2:g}", alternate(functions, args.rounds)))
        objective = {}
        for name, (weight, bias) in found.items():
            w, b = weight.double(), bias.double()
            loss = F.cross_entropy(x.double() @ w + b, y, reduction="sum") + l2 / 2 * w.square().sum()
            objective[name] = loss.item() / len(x)
        assert objective[OURS] <= objective["scikit-learn"] * (1 + 1e-4), objective
    command = f"python benchmarks/linear.py --rounds {args.rounds} --threads {args.threads}"
    write("linear", "Linear probe", "Samples a second, fitted", command, cases, ["torch", "hf_ssl", "scikit-learn"])


if __name__ == "__main__":
    main()
