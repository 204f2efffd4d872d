//! Gradients of every layer, beside those of Keras on JAX.
//!
//! Each class is called on random inputs; gradients of a random sum of its outputs with respect
//! to inputs and trainable weights are compared. The numbers are the largest difference, as a
//! part of the largest element of the gradient: on the host, and on a GPU (llvmpipe 15, a
//! software adapter). `tests/gradients.rs` writes this page and checks it.
//!
//! | class | gradients | host | GPU |
//! | --- | --- | --- | --- |
//! | Activation | 1 | 3e-8 | 3e-8 |
//! | ActivityRegularization | 1 | 0e0 | 0e0 |
//! | AdaptiveAveragePooling1D | 1 | 5e-8 | 5e-8 |
//! | AdaptiveAveragePooling2D | 1 | 5e-8 | 5e-8 |
//! | AdaptiveAveragePooling3D | 1 | 6e-8 | 6e-8 |
//! | AdaptiveMaxPooling1D | 1 | 0e0 | 0e0 |
//! | AdaptiveMaxPooling2D | 1 | 0e0 | 0e0 |
//! | AdaptiveMaxPooling3D | 1 | 0e0 | 0e0 |
//! | Add | 2 | 0e0 | 0e0 |
//! | AdditiveAttention | 3 | 5e-7 | 5e-7 |
//! | AlphaDropout | 1 | 0e0 | 0e0 |
//! | Attention | 3 | 5e-7 | 2e-7 |
//! | AugMix | 1 | 0e0 | 0e0 |
//! | AutoContrast | 1 | 6e-7 | 9e-7 |
//! | Average | 2 | 0e0 | 0e0 |
//! | AveragePooling1D | 1 | 5e-8 | 5e-8 |
//! | AveragePooling2D | 1 | 9e-8 | 2e-7 |
//! | AveragePooling3D | 1 | 1e-7 | 1e-7 |
//! | BatchNormalization | 9 | 2e-7 | 2e-7 |
//! | Bidirectional | 7 | 3e-7 | 5e-7 |
//! | CenterCrop | 1 | 0e0 | 0e0 |
//! | Concatenate | 2 | 0e0 | 0e0 |
//! | Conv1D | 6 | 2e-7 | 2e-7 |
//! | Conv1DTranspose | 3 | 2e-7 | 1e-7 |
//! | Conv2D | 6 | 2e-7 | 2e-7 |
//! | Conv2DTranspose | 3 | 4e-7 | 4e-7 |
//! | Conv3D | 3 | 2e-7 | 3e-7 |
//! | Conv3DTranspose | 3 | 7e-7 | 8e-7 |
//! | ConvLSTM1D | 4 | 3e-7 | 4e-7 |
//! | ConvLSTM2D | 4 | 3e-7 | 5e-7 |
//! | ConvLSTM3D | 4 | 5e-7 | 7e-7 |
//! | Cropping1D | 1 | 0e0 | 0e0 |
//! | Cropping2D | 1 | 0e0 | 0e0 |
//! | Cropping3D | 1 | 0e0 | 0e0 |
//! | Dense | 3 | 2e-7 | 2e-7 |
//! | DepthwiseConv1D | 3 | 2e-7 | 1e-7 |
//! | DepthwiseConv2D | 3 | 2e-7 | 4e-7 |
//! | Dot | 2 | 2e-7 | 2e-7 |
//! | Dropout | 1 | 0e0 | 0e0 |
//! | ELU | 1 | 1e-7 | 1e-7 |
//! | EinsumDense | 3 | 5e-8 | 1e-7 |
//! | Embedding | 1 | 7e-8 | 0e0 |
//! | Flatten | 1 | 0e0 | 0e0 |
//! | GRU | 8 | 3e-7 | 2e-7 |
//! | GRUCell | 4 | 2e-7 | 2e-7 |
//! | GaussianDropout | 1 | 0e0 | 0e0 |
//! | GaussianNoise | 1 | 0e0 | 0e0 |
//! | GlobalAveragePooling1D | 1 | 0e0 | 0e0 |
//! | GlobalAveragePooling2D | 1 | 0e0 | 0e0 |
//! | GlobalAveragePooling3D | 1 | 0e0 | 0e0 |
//! | GlobalMaxPooling1D | 1 | 0e0 | 0e0 |
//! | GlobalMaxPooling2D | 1 | 0e0 | 0e0 |
//! | GlobalMaxPooling3D | 1 | 0e0 | 0e0 |
//! | GroupNormalization | 3 | 2e-7 | 2e-7 |
//! | GroupQueryAttention | 10 | 5e-5 | 2e-4 |
//! | Identity | 1 | 0e0 | 0e0 |
//! | LSTM | 8 | 5e-7 | 4e-7 |
//! | LSTMCell | 4 | 3e-7 | 3e-7 |
//! | LayerNormalization | 3 | 2e-7 | 2e-7 |
//! | LayerScale | 2 | 5e-7 | 2e-7 |
//! | LeakyReLU | 1 | 0e0 | 0e0 |
//! | Masking | 1 | 0e0 | 0e0 |
//! | MaxPooling1D | 1 | 0e0 | 0e0 |
//! | MaxPooling2D | 1 | 2e-8 | 0e0 |
//! | MaxPooling3D | 1 | 6e-8 | 0e0 |
//! | Maximum | 2 | 0e0 | 0e0 |
//! | MelSpectrogram | 1 | 1e-6 | 1e-6 |
//! | Minimum | 2 | 0e0 | 0e0 |
//! | MultiHeadAttention | 10 | 2e-4 | 4e-4 |
//! | Multiply | 2 | 0e0 | 0e0 |
//! | Normalization | 1 | 0e0 | 0e0 |
//! | PReLU | 2 | 3e-8 | 3e-8 |
//! | Permute | 1 | 0e0 | 0e0 |
//! | Pipeline | 1 | 0e0 | 0e0 |
//! | RMSNormalization | 2 | 1e-7 | 8e-8 |
//! | RNN | 4 | 3e-7 | 3e-7 |
//! | RandAugment | 1 | 0e0 | 0e0 |
//! | RandomBrightness | 1 | 0e0 | 0e0 |
//! | RandomColorDegeneration | 1 | 0e0 | 0e0 |
//! | RandomColorJitter | 1 | 0e0 | 0e0 |
//! | RandomContrast | 1 | 0e0 | 0e0 |
//! | RandomCrop | 1 | 0e0 | 0e0 |
//! | RandomElasticTransform | 1 | 0e0 | 0e0 |
//! | RandomErasing | 1 | 0e0 | 0e0 |
//! | RandomFlip | 1 | 0e0 | 0e0 |
//! | RandomGaussianBlur | 1 | 0e0 | 0e0 |
//! | RandomGrayscale | 1 | 0e0 | 0e0 |
//! | RandomHue | 1 | 0e0 | 0e0 |
//! | RandomInvert | 1 | 0e0 | 0e0 |
//! | RandomPerspective | 1 | 0e0 | 0e0 |
//! | RandomPosterization | 1 | 0e0 | 0e0 |
//! | RandomRotation | 1 | 0e0 | 0e0 |
//! | RandomSaturation | 1 | 0e0 | 0e0 |
//! | RandomSharpness | 1 | 0e0 | 0e0 |
//! | RandomShear | 1 | 0e0 | 0e0 |
//! | RandomTranslation | 1 | 0e0 | 0e0 |
//! | RandomZoom | 1 | 0e0 | 0e0 |
//! | ReLU | 1 | 0e0 | 0e0 |
//! | RepeatVector | 1 | 0e0 | 6e-8 |
//! | Rescaling | 1 | 0e0 | 0e0 |
//! | Reshape | 1 | 0e0 | 0e0 |
//! | Resizing | 6 | 2e-7 | 2e-7 |
//! | ReversibleEmbedding | 2 | 2e-7 | 2e-7 |
//! | STFTSpectrogram | 3 | 1e-7 | 7e-7 |
//! | SeparableConv1D | 4 | 3e-7 | 2e-7 |
//! | SeparableConv2D | 4 | 4e-7 | 2e-7 |
//! | SimpleRNN | 4 | 3e-7 | 2e-7 |
//! | SimpleRNNCell | 4 | 4e-7 | 5e-7 |
//! | Softmax | 1 | 1e-7 | 7e-8 |
//! | Solarization | 1 | 0e0 | 0e0 |
//! | SpatialDropout1D | 1 | 0e0 | 0e0 |
//! | SpatialDropout2D | 1 | 0e0 | 0e0 |
//! | SpatialDropout3D | 1 | 0e0 | 0e0 |
//! | SpectralNormalization | 6 | 1e-7 | 2e-7 |
//! | StackedRNNCells | 7 | 8e-7 | 1e-6 |
//! | StochasticDepth | 1 | 0e0 | 0e0 |
//! | Subtract | 2 | 0e0 | 0e0 |
//! | TimeDistributed | 3 | 1e-7 | 1e-7 |
//! | UnitNormalization | 1 | 2e-7 | 2e-7 |
//! | UpSampling1D | 1 | 0e0 | 0e0 |
//! | UpSampling2D | 4 | 2e-7 | 1e-7 |
//! | UpSampling3D | 1 | 0e0 | 0e0 |
//! | ZeroPadding1D | 1 | 0e0 | 0e0 |
//! | ZeroPadding2D | 1 | 0e0 | 0e0 |
//! | ZeroPadding3D | 1 | 0e0 | 0e0 |
//!
//! Classes that are not in the table:
//!
//! | class | because it |
//! | --- | --- |
//! | CategoryEncoding | takes whole numbers and has no weights |
//! | ContrastLimitedAdaptiveHistogramEqualization | looks levels up, which has no gradient |
//! | ConvLSTMCell | is within ConvLSTM2D |
//! | CustomScaleLayer | has no weights; a sum of two inputs, one scaled |
//! | CutMix | takes a mapping with labels; in inference it passes images on |
//! | Discretization | gives whole numbers |
//! | Equalization | looks levels up, which has no gradient |
//! | HashedCrossing | takes text or whole numbers |
//! | Hashing | takes text or whole numbers |
//! | IndexLookup | takes text or whole numbers |
//! | InputLayer | does not compute |
//! | IntegerLookup | takes whole numbers |
//! | MaxNumBoundingBoxes | takes a mapping of boxes and cuts it |
//! | MixUp | takes a mapping with labels; in inference it passes images on |
//! | StringLookup | takes text |
//! | TernaryDense | came with Keras 3.16; `tests/ternary.rs` compares its training |
//! | TFDConcat | is within FeatureSpace |
//! | TFDIdentity | is within FeatureSpace |
//! | TextVectorization | takes text |
//! | ThresholdedReLU | cannot be compiled by Keras on JAX, and so not differentiated |
