"""Pretrain an encoder on a folder of images, without labels, and write a repository that AutoModel loads.

python examples/pretrain_folder.py my_photos my_encoder --epochs 100
"""

import argparse

from transformers import AutoConfig

from hf_ssl import DinoConfig, DinoForPreTraining, DinoImageProcessor, SSLTrainer, SSLTrainingArguments
from hf_ssl.data import load_data
from hf_ssl.hub import export_pretrained


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", help="folder of images; subfolders are fine, labels are not needed")
    parser.add_argument("output", help="folder of the repository")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--epochs", type=float, default=100)
    parser.add_argument("--batch-size", type=int, default=64)
    options = parser.parse_args()

    data = load_data(options.images)
    backbone = AutoConfig.for_model(
        "vit",
        hidden_size=192,
        num_hidden_layers=6,
        num_attention_heads=3,
        intermediate_size=768,
        image_size=options.image_size,
        patch_size=8,
    )
    model = DinoForPreTraining(DinoConfig(backbone_config=backbone, num_prototypes=4096))
    processor = DinoImageProcessor(
        size={"shortest_edge": options.image_size},
        crop_size={"height": options.image_size, "width": options.image_size},
        local_crop_size=options.image_size // 2,
        local_crops=4,
    )
    arguments = SSLTrainingArguments(
        output_dir=f"{options.output}-checkpoints",
        num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch_size,
        learning_rate=1e-3,
        weight_decay=0.04,
        final_weight_decay=0.4,
        warmup_epochs=options.epochs / 10,
        max_parameter_grad_norm=3.0,
    )
    trainer = SSLTrainer(model, arguments, processor, train_dataset=data.train)
    trainer.train()
    export_pretrained(model, processor, options.output)
    print(data.report() or "All images were readable.")


if __name__ == "__main__":
    main()
