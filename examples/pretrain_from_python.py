"""Choose a recipe, pretrain, evaluate and publish, all from Python; `hf-ssl pretrain` does the same and more.

python examples/pretrain_from_python.py dino photo-patches my-encoder --push-to user/my-encoder
"""

import argparse

from hf_ssl import SSLTrainer, SSLTrainingArguments, build, evaluate_encoder, load_data, recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", help="such as simclr, dino or mae")
    parser.add_argument("data", help="photo-patches, a folder, or a Hub data set id; with labels")
    parser.add_argument("output", help="folder of the checkpoints and the card")
    parser.add_argument("--push-to", help="user/name on the Hub")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=500)
    options = parser.parse_args()

    data = load_data(options.data)
    small = recipe(options.method, "small")
    model, processor, training = build(
        options.method, small, None, options.image_size, data=data, training={"max_steps": options.steps}
    )
    arguments = SSLTrainingArguments(options.output, hub_model_id=options.push_to, **training)
    trainer = SSLTrainer(model, arguments, processor, train_dataset=data)
    trainer.train()
    report = evaluate_encoder(model.encoder(), processor, data.train, data.test)
    print(report.table())
    trainer.create_model_card(evaluation=report)
    if options.push_to:
        print(trainer.push_to_hub(evaluation=report))


if __name__ == "__main__":
    main()
