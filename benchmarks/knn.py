"""
kNN classification of embeddings: hf_ssl against lightly, faiss (exact search, then our vote) and scikit-learn.

    python benchmarks/knn.py

60 000 x 512 in the bank, k 20, ten classes. The embeddings are random, which changes nothing of an exact search. All
get unit vectors. Needs `requirements-peers.txt`.
"""

import argparse

import faiss
import numpy as np
import torch
import torch.nn.functional as F
from alternating import OURS, alternate, case, write
from lightly.utils.benchmarking import knn_predict as lightly_predict
from sklearn.neighbors import KNeighborsClassifier

from hf_ssl.evaluation import knn_predict

K, TEMPERATURE, CLASSES = 20, 0.07, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--bank", type=int, default=60_000)
    parser.add_argument("--queries", type=int, default=2048)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    faiss.omp_set_num_threads(args.threads)
    generator = torch.Generator().manual_seed(0)
    bank, queries = (
        F.normalize(torch.randn(n, args.dim, generator=generator), dim=1) for n in (args.bank, args.queries)
    )
    labels = torch.randint(CLASSES, (args.bank,), generator=generator)
    columns = bank.T.contiguous()  # as lightly wants them
    index = faiss.IndexFlatIP(args.dim)
    index.add(bank.numpy())
    classifier = KNeighborsClassifier(K, weights=lambda distances: np.exp(-distances / TEMPERATURE))
    classifier.set_params(metric="cosine", algorithm="brute", n_jobs=args.threads).fit(bank.numpy(), labels.numpy())

    def ours():
        return knn_predict(bank, labels, queries, CLASSES, K, TEMPERATURE)

    def by_lightly():
        parts = [lightly_predict(q, columns, labels, CLASSES, K, TEMPERATURE)[:, 0] for q in queries.split(512)]
        return torch.cat(parts)

    def by_faiss():
        similarity, nearest = map(torch.from_numpy, index.search(queries.numpy(), K))
        votes = torch.zeros(len(queries), CLASSES)
        return votes.scatter_add_(1, labels[nearest], (similarity / TEMPERATURE).exp()).argmax(1)

    def by_scikit_learn():
        return torch.from_numpy(classifier.predict(queries.numpy()))

    functions = {OURS: ours, "lightly": by_lightly, "faiss": by_faiss, "scikit-learn": by_scikit_learn}
    expected = ours()
    for name, function in functions.items():
        agreement = (function() == expected).float().mean().item()
        assert agreement > 0.999, (name, agreement)
    counted = {name: lambda function=function: len(function()) for name, function in functions.items()}
    measured = [case(f"{args.bank} x {args.dim}, k {K}", alternate(counted, args.rounds))]
    command = f"python benchmarks/knn.py --rounds {args.rounds} --threads {args.threads}"
    packages = ["torch", "hf_ssl", "lightly", "faiss-cpu", "scikit-learn"]
    write("knn", "kNN", "Queries a second", command, measured, packages)


if __name__ == "__main__":
    main()
