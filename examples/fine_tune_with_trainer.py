"""Fine-tune an exported encoder with plain transformers: nothing here imports hf_ssl but the demo data.

python examples/fine_tune_with_trainer.py hf-ssl-runs/simclr fine-tuned
"""

import argparse

import numpy as np
import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification, Trainer, TrainingArguments

from hf_ssl.data import load_data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="folder or Hub id")
    parser.add_argument("output")
    parser.add_argument("--data", default="photo-patches", help="labelled images")
    parser.add_argument("--epochs", type=float, default=5)
    options = parser.parse_args()

    data = load_data(options.data)
    names = data.train.label_names or []
    processor = AutoImageProcessor.from_pretrained(options.encoder)
    model = AutoModelForImageClassification.from_pretrained(
        options.encoder, id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)}
    )

    def collate(samples):
        images = [sample["image"].expand(3, -1, -1).permute(1, 2, 0).numpy() for sample in samples]
        return {**processor(images, return_tensors="pt"), "labels": torch.tensor([s["label"] for s in samples])}

    arguments = TrainingArguments(
        output_dir=options.output,
        num_train_epochs=options.epochs,
        per_device_train_batch_size=64,
        learning_rate=5e-4,
        weight_decay=0.05,
        lr_scheduler_type="cosine",
        remove_unused_columns=False,
        save_strategy="no",
        report_to="none",
    )
    trainer = Trainer(
        model,
        arguments,
        train_dataset=data.train,
        eval_dataset=data.test,
        data_collator=collate,
        compute_metrics=lambda p: {"accuracy": float((np.argmax(p.predictions, axis=-1) == p.label_ids).mean())},
    )
    trainer.train()
    print(trainer.evaluate())
    trainer.save_model()
    processor.save_pretrained(options.output)


if __name__ == "__main__":
    main()
