"""Go on pretraining from a published repository, heads and all, on other images.

python examples/continue_pretraining.py hf-ssl-runs/simclr my_photos continued --epochs 10
"""

import argparse
from pathlib import Path

from transformers import AutoImageProcessor, AutoModelForPreTraining

from hf_ssl import SSLTrainer, SSLTrainingArguments
from hf_ssl.data import load_data
from hf_ssl.hub import PRETRAINING, export_pretrained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", help="folder or Hub id")
    parser.add_argument("data", help="photo-patches, a folder, or a Hub data set id")
    parser.add_argument("output", help="folder of the new repository")
    parser.add_argument("--epochs", type=float, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()

    model = AutoModelForPreTraining.from_pretrained(options.repository, subfolder=PRETRAINING)
    processor = AutoImageProcessor.from_pretrained(options.repository, subfolder=PRETRAINING)
    data = load_data(options.data)
    arguments = SSLTrainingArguments(
        output_dir=str(Path(f"{options.output}-checkpoints")),
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch_size,
        learning_rate=2e-4,
        weight_decay=0.05,
        warmup_epochs=options.epochs / 20,
    )
    trainer = SSLTrainer(model, arguments, processor, train_dataset=data.train, eval_dataset=data.test)
    trainer.train()
    export_pretrained(model, processor, options.output)
    if data.test is not None:
        print(trainer.evaluate())


if __name__ == "__main__":
    main()
