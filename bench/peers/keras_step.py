#!/usr/bin/env python3
"""The notebook's training step in Keras/TensorFlow on the CPU: uint8 pictures in, Rescaling, forward, loss, backward, Adam.

  keras_step.py --arch cnn --precision fp32 --execution graph   one variant, one line of JSON
  keras_step.py --arch cnn --sweep                              all variants, the best one last
"""

import os

import measure

# train_on_batch is what fit() runs, with its metrics; graph and xla are a bare tf.function around the same arithmetic.
VARIANTS = {"execution": ["graph", "xla", "train_on_batch"]}


def network(keras, args):
    layers = keras.layers
    body = [keras.Input((args.image_size, args.image_size, 3), dtype="uint8"), layers.Rescaling(1 / 255)]
    if args.arch == "mlp":
        body.append(layers.Flatten())
        for units in (256, 128):
            body += [layers.Dense(units, activation="relu"), layers.Dropout(0.5)]
    else:
        for filters in (32, 64, 128):
            body += [layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D()]
        body += [layers.Flatten(), layers.Dropout(0.5), layers.Dense(128, activation="relu")]
    return keras.Sequential([*body, layers.Dense(args.classes, dtype="float32")])


def main():
    args = measure.options(__doc__.splitlines()[0], VARIANTS).parse_args()
    if args.sweep:
        return measure.sweep(args, VARIANTS)
    measure.restart_with_allocator(args.allocator)

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import numpy  # after the restart: the allocator must be there first
    import tensorflow
    import keras

    tensorflow.config.threading.set_intra_op_parallelism_threads(args.threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(1234)
    if args.precision == "bf16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    model = network(keras, args)
    loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(1e-3)
    generator = numpy.random.default_rng(1234)
    shape = (args.batch, args.image_size, args.image_size, 3)
    batches = [generator.integers(0, 256, shape, dtype=numpy.uint8) for _ in range(3)]
    labels = [generator.integers(0, args.classes, args.batch) for _ in batches]

    if args.execution == "train_on_batch":
        model.compile(optimizer, loss_function, metrics=["accuracy"], jit_compile=False)

        def step(i):
            return model.train_on_batch(batches[i % 3], labels[i % 3])[0]
    else:
        optimizer.build(model.trainable_variables)

        @tensorflow.function(jit_compile=args.execution == "xla")
        def train(pixels, label):
            with tensorflow.GradientTape() as tape:
                loss = loss_function(label, model(pixels, training=True))
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables))
            return loss

        tensors = [(tensorflow.constant(x), tensorflow.constant(y)) for x, y in zip(batches, labels)]

        def step(i):
            return train(*tensors[i % 3]).numpy()

    milliseconds, losses = measure.time_steps(step, args.warmup, args.steps)
    variant = {"execution": args.execution, "allocator": args.allocator}
    version = f"{keras.__version__} (tensorflow {tensorflow.__version__})"
    measure.report("keras", version, args, variant, milliseconds, losses)


if __name__ == "__main__":
    main()
