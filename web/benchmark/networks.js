/**
 * The networks of contract C1 in TensorFlow.js, with the weights of the checkout, prepared as its documentation
 * recommends: NHWC tensors, batch normalization folded into the weights.
 *
 * PyTorch pads strided transposed convolutions by one more pixel at the top and left than TensorFlow's "same". So the
 * networks run upside down: dense outputs and kernels are flipped here, and images are flipped back by the reader.
 */

const EPSILON = 1e-3; // of Keras' batch normalization
const SIDE = 7; // of the first feature map

/** Layers after the first dense layer: transposed convolutions `up`, or a convolution `conv`. */
const MODELS = {
  vae: {
    prefix: "decoder",
    dense: 0,
    slope: 0,
    up: [
      [3, 2],
      [5, 2],
      [7, 1],
    ],
    end: "sigmoid",
  },
  gan: {
    prefix: "generator.layers",
    dense: 0,
    slope: 0.3,
    up: [
      [4, 1],
      [7, 2],
      [10, 2],
    ],
    end: "tanh",
  },
  cgan: {
    prefix: "generator.layers",
    dense: 0,
    slope: 0.2,
    up: [
      [3, 2],
      [5, 2],
    ],
    conv: 7,
    end: "sigmoid",
  },
};

/** Return a function from inputs (n × width, flat) to levels of ink in [0, 1], upside down. */
export async function network(tf, name, url) {
  const { prefix, dense, slope, up, conv, end } = MODELS[name];
  const weights = await readSafetensors(url);
  const layer = (index) => foldedLayer(weights, prefix, index);
  const first = denseLayer(tf, layer(dense));
  const ups = up.map(([index, stride]) => ({ stride, ...upLayer(tf, layer(index)) }));
  const last = conv && convLayer(tf, layer(conv));
  const activate = (x) => (slope ? tf.leakyRelu(x, slope) : tf.relu(x));
  const finish = (x) => (end === "tanh" ? tf.div(tf.add(tf.tanh(x), 1), 2) : tf.sigmoid(x));
  return (inputs, n) =>
    tf.tidy(() => {
      let x = tf.add(tf.matMul(tf.tensor2d(inputs, [n, inputs.length / n]), first.weight), first.bias);
      x = activate(tf.reshape(x, [n, SIDE, SIDE, x.shape[1] / SIDE ** 2]));
      ups.forEach(({ kernel, bias, stride }, i) => {
        const side = x.shape[1] * stride;
        x = tf.add(tf.conv2dTranspose(x, kernel, [n, side, side, kernel.shape[2]], stride, "same"), bias);
        if (i < ups.length - 1 || last) x = activate(x);
      });
      if (last) x = tf.add(tf.conv2d(x, last.kernel, 1, "same"), last.bias);
      return finish(x).dataSync();
    });
}

/** Return a layer's weight (out first) and bias, with the batch normalization that follows it folded in. */
function foldedLayer(weights, prefix, index) {
  const { shape, data } = weights[`${prefix}.${index}.weight`];
  const is1d = (name) => weights[`${prefix}.${index + 1}.${name}`]?.data;
  const bias = weights[`${prefix}.${index}.bias`]?.data;
  const variance = is1d("running_var");
  if (!variance) return { shape, data, bias, scale: undefined };
  const [gamma, beta, mean] = ["weight", "bias", "running_mean"].map(is1d);
  const scale = gamma.map((value, i) => value / Math.sqrt(variance[i] + EPSILON));
  return { shape, data, scale, bias: beta.map((value, i) => value - mean[i] * scale[i]) };
}

/** Dense: (out, in), out in the order channel, row, column → (in, row, column, channel), flipped. */
function denseLayer(tf, { shape: [out, width], data, bias, scale }) {
  const channels = out / SIDE ** 2;
  const source = Array.from(
    { length: out },
    (_, to) => (to % channels) * SIDE ** 2 + (SIDE ** 2 - 1 - Math.floor(to / channels)),
  );
  const weight = new Float32Array(out * width);
  source.forEach((from, to) => {
    for (let i = 0; i < width; i++) weight[i * out + to] = data[from * width + i] * (scale?.[from] ?? 1);
  });
  return { weight: tf.tensor2d(weight, [width, out]), bias: tf.tensor1d(source.map((from) => bias?.[from] ?? 0)) };
}

/** Transposed convolution: (in, out, row, column) → (row, column, out, in), flipped. */
function upLayer(tf, { shape: [width, out, side], data, bias, scale }) {
  const at = (row, column, o, i) => data[((i * out + o) * side + (side - 1 - row)) * side + (side - 1 - column)];
  return convolution(tf, [side, side, out, width], (r, c, o, i) => at(r, c, o, i) * (scale?.[o] ?? 1), bias, out);
}

/** Convolution: (out, in, row, column) → (row, column, in, out), flipped. */
function convLayer(tf, { shape: [out, width, side], data, bias }) {
  const at = (row, column, i, o) => data[((o * width + i) * side + (side - 1 - row)) * side + (side - 1 - column)];
  return convolution(tf, [side, side, width, out], at, bias, out);
}

function convolution(tf, shape, at, bias, out) {
  const [rows, columns, a, b] = shape;
  const kernel = new Float32Array(rows * columns * a * b);
  let next = 0;
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++)
      for (let i = 0; i < a; i++) for (let j = 0; j < b; j++) kernel[next++] = at(r, c, i, j);
  return { kernel: tf.tensor4d(kernel, shape), bias: tf.tensor1d(bias ?? new Float32Array(out)) };
}

/** Read a safetensors file: the header's length (8 bytes), the header (JSON), then float32 data. */
async function readSafetensors(url) {
  const buffer = await (await fetch(url)).arrayBuffer();
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  delete header.__metadata__;
  const read = ({ shape, data_offsets: [begin, end] }) => ({
    shape,
    data: new Float32Array(buffer.slice(8 + length + begin, 8 + length + end)),
  });
  return Object.fromEntries(Object.entries(header).map(([name, entry]) => [name, read(entry)]));
}
