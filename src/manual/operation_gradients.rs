//! Gradients of every operation, beside those of Keras on JAX.
//!
//! Functions with corners are also called at these.
//!
//! Each class is called on random inputs; gradients of a random sum of its outputs with respect
//! to inputs and trainable weights are compared. The numbers are the largest difference, as a
//! part of the largest element of the gradient: on the host, and on a GPU (llvmpipe 15, a
//! software adapter). `tests/gradients.rs` writes this page and checks it.
//!
//! | class | gradients | host | GPU |
//! | --- | --- | --- | --- |
//! | ops.Absolute | 2 | 0e0 | 0e0 |
//! | ops.AdaptiveAveragePool | 1 | 4e-8 | 4e-8 |
//! | ops.AdaptiveMaxPool | 1 | 0e0 | 0e0 |
//! | ops.Add | 2 | 0e0 | 0e0 |
//! | ops.AffineTransform | 3 | 2e-7 | 2e-7 |
//! | ops.Amax | 2 | 0e0 | 0e0 |
//! | ops.Amin | 1 | 0e0 | 0e0 |
//! | ops.Angle | 1 | 5e-8 | 1e-7 |
//! | ops.Append | 2 | 0e0 | 0e0 |
//! | ops.Arccos | 1 | 3e-7 | 3e-7 |
//! | ops.Arccosh | 1 | 1e-7 | 1e-7 |
//! | ops.Arcsin | 1 | 2e-7 | 2e-7 |
//! | ops.Arcsinh | 1 | 6e-8 | 6e-8 |
//! | ops.Arctan | 1 | 0e0 | 0e0 |
//! | ops.Arctan2 | 2 | 7e-8 | 7e-8 |
//! | ops.Arctanh | 1 | 4e-7 | 4e-7 |
//! | ops.ArraySplit | 1 | 0e0 | 0e0 |
//! | ops.Average | 1 | 2e-8 | 2e-8 |
//! | ops.AveragePool | 1 | 5e-8 | 9e-8 |
//! | ops.BatchNorm | 3 | 1e-7 | 1e-7 |
//! | ops.BinaryCrossentropy | 4 | 1e-7 | 3e-7 |
//! | ops.BroadcastTo | 1 | 0e0 | 6e-8 |
//! | ops.CDist | 2 | 9e-8 | 9e-8 |
//! | ops.CTCLoss | 1 | 3e-7 | 3e-7 |
//! | ops.Cast | 1 | 0e0 | 0e0 |
//! | ops.CategoricalCrossentropy | 2 | 3e-7 | 3e-7 |
//! | ops.Cbrt | 1 | 4e-8 | 4e-8 |
//! | ops.Celu | 2 | 7e-8 | 7e-8 |
//! | ops.Cholesky | 1 | 2e-7 | 1e-7 |
//! | ops.CholeskyInverse | 1 | 3e-7 | 3e-7 |
//! | ops.Clip | 1 | 0e0 | 0e0 |
//! | ops.Concatenate | 2 | 0e0 | 0e0 |
//! | ops.Conjugate | 1 | 0e0 | 0e0 |
//! | ops.Conv | 2 | 1e-7 | 2e-7 |
//! | ops.ConvertToTensor | 1 | 0e0 | 0e0 |
//! | ops.Copy | 1 | 0e0 | 0e0 |
//! | ops.Corrcoef | 1 | 8e-7 | 5e-7 |
//! | ops.Correlate | 2 | 7e-8 | 7e-8 |
//! | ops.Cos | 1 | 0e0 | 3e-8 |
//! | ops.Cosh | 1 | 7e-8 | 4e-8 |
//! | ops.CropImages | 1 | 0e0 | 0e0 |
//! | ops.Cross | 2 | 0e0 | 0e0 |
//! | ops.Cumprod | 1 | 3e-7 | 3e-7 |
//! | ops.Cumsum | 1 | 6e-8 | 6e-8 |
//! | ops.Deg2rad | 1 | 0e0 | 0e0 |
//! | ops.DepthToSpace | 1 | 0e0 | 0e0 |
//! | ops.DepthwiseConv | 2 | 2e-7 | 2e-7 |
//! | ops.Det | 1 | 1e-7 | 1e-7 |
//! | ops.Diag | 1 | 0e0 | 0e0 |
//! | ops.Diagflat | 1 | 0e0 | 0e0 |
//! | ops.Diagonal | 1 | 0e0 | 0e0 |
//! | ops.Diff | 1 | 0e0 | 0e0 |
//! | ops.Divide | 2 | 9e-8 | 9e-8 |
//! | ops.DivideNoNan | 2 | 1e-8 | 1e-8 |
//! | ops.Dot | 2 | 4e-8 | 8e-8 |
//! | ops.DotProductAttention | 3 | 2e-7 | 3e-7 |
//! | ops.Dsplit | 1 | 0e0 | 0e0 |
//! | ops.Dstack | 2 | 0e0 | 0e0 |
//! | ops.Eigh | 2 | 9e-7 | 2e-6 |
//! | ops.Einsum | 4 | 3e-8 | 8e-8 |
//! | ops.Elu | 2 | 8e-8 | 8e-8 |
//! | ops.Erf | 1 | 5e-8 | 5e-8 |
//! | ops.Erfc | 1 | 1e-7 | 1e-7 |
//! | ops.Erfinv | 1 | 3e-7 | 2e-7 |
//! | ops.Exp | 1 | 0e0 | 3e-8 |
//! | ops.Exp2 | 1 | 5e-8 | 5e-8 |
//! | ops.ExpandDims | 1 | 0e0 | 0e0 |
//! | ops.Expm1 | 1 | 2e-7 | 2e-7 |
//! | ops.ExtractPatches | 1 | 0e0 | 0e0 |
//! | ops.ExtractSequences | 1 | 0e0 | 0e0 |
//! | ops.FFT | 2 | 2e-7 | 2e-7 |
//! | ops.FFT2 | 2 | 1e-7 | 1e-7 |
//! | ops.Fabs | 1 | 0e0 | 0e0 |
//! | ops.FakeQuantWithMinMaxVars | 1 | 0e0 | 0e0 |
//! | ops.Flip | 1 | 0e0 | 0e0 |
//! | ops.Fliplr | 1 | 0e0 | 0e0 |
//! | ops.Flipud | 1 | 0e0 | 0e0 |
//! | ops.Fmax | 4 | 0e0 | 0e0 |
//! | ops.Fmin | 4 | 0e0 | 0e0 |
//! | ops.Fmod | 2 | 0e0 | 0e0 |
//! | ops.Fold | 1 | 0e0 | 0e0 |
//! | ops.GaussianBlur | 1 | 9e-8 | 1e-7 |
//! | ops.Gelu | 1 | 6e-8 | 6e-8 |
//! | ops.GetItem | 1 | 0e0 | 0e0 |
//! | ops.Glu | 2 | 5e-8 | 5e-8 |
//! | ops.HSVToRGB | 1 | 1e-7 | 1e-7 |
//! | ops.HardShrink | 2 | 0e0 | 0e0 |
//! | ops.HardSigmoid | 2 | 8e-8 | 8e-8 |
//! | ops.HardSilu | 2 | 9e-8 | 9e-8 |
//! | ops.HardTanh | 2 | 0e0 | 0e0 |
//! | ops.Hsplit | 1 | 0e0 | 0e0 |
//! | ops.Hstack | 2 | 0e0 | 0e0 |
//! | ops.Hypot | 2 | 1e-7 | 1e-7 |
//! | ops.I0 | 1 | 1e-7 | 1e-7 |
//! | ops.IFFT2 | 2 | 1e-7 | 1e-7 |
//! | ops.IRFFT | 2 | 2e-7 | 2e-7 |
//! | ops.ISTFT | 2 | 2e-7 | 1e-7 |
//! | ops.Imag | 2 | 2e-10 | 1e-7 |
//! | ops.Inner | 2 | 2e-7 | 1e-7 |
//! | ops.Inv | 1 | 8e-8 | 8e-8 |
//! | ops.Kron | 2 | 1e-7 | 0e0 |
//! | ops.LayerNorm | 2 | 3e-7 | 2e-7 |
//! | ops.Ldexp | 2 | 0e0 | 0e0 |
//! | ops.LeakyRelu | 2 | 0e0 | 0e0 |
//! | ops.Log | 1 | 0e0 | 0e0 |
//! | ops.Log10 | 1 | 9e-8 | 9e-8 |
//! | ops.Log1p | 1 | 3e-8 | 3e-8 |
//! | ops.Log2 | 1 | 0e0 | 0e0 |
//! | ops.LogSigmoid | 2 | 8e-8 | 8e-8 |
//! | ops.LogSoftmax | 1 | 1e-7 | 1e-7 |
//! | ops.Logaddexp | 4 | 9e-8 | 9e-8 |
//! | ops.Logaddexp2 | 4 | 1e-7 | 1e-7 |
//! | ops.Logdet | 1 | 2e-7 | 3e-7 |
//! | ops.Logsumexp | 1 | 0e0 | 1e-8 |
//! | ops.Lstsq | 2 | 4e-7 | 9e-7 |
//! | ops.LuFactor | 1 | 9e-8 | 9e-8 |
//! | ops.MapCoordinates | 2 | 0e0 | 5e-8 |
//! | ops.Matmul | 2 | 0e0 | 1e-7 |
//! | ops.Max | 2 | 0e0 | 0e0 |
//! | ops.MaxPool | 2 | 4e-8 | 0e0 |
//! | ops.Maximum | 4 | 0e0 | 0e0 |
//! | ops.Mean | 1 | 0e0 | 0e0 |
//! | ops.Median | 1 | 0e0 | 0e0 |
//! | ops.Meshgrid | 2 | 0e0 | 4e-8 |
//! | ops.Min | 2 | 0e0 | 0e0 |
//! | ops.Minimum | 4 | 0e0 | 0e0 |
//! | ops.Mish | 2 | 1e-7 | 1e-7 |
//! | ops.Mod | 2 | 7e-8 | 7e-8 |
//! | ops.Moments | 1 | 5e-8 | 5e-8 |
//! | ops.Moveaxis | 1 | 0e0 | 0e0 |
//! | ops.Multiply | 2 | 0e0 | 0e0 |
//! | ops.NanToNum | 1 | 0e0 | 0e0 |
//! | ops.Nancumprod | 1 | 1e-7 | 1e-7 |
//! | ops.Nancumsum | 1 | 5e-8 | 5e-8 |
//! | ops.Nanmax | 1 | 0e0 | 0e0 |
//! | ops.Nanmean | 1 | 0e0 | 0e0 |
//! | ops.Nanmedian | 1 | 0e0 | 0e0 |
//! | ops.Nanmin | 1 | 0e0 | 0e0 |
//! | ops.Nanpercentile | 1 | 0e0 | 0e0 |
//! | ops.Nanprod | 1 | 8e-8 | 2e-7 |
//! | ops.Nanquantile | 1 | 0e0 | 0e0 |
//! | ops.Nanstd | 1 | 3e-8 | 3e-8 |
//! | ops.Nansum | 1 | 0e0 | 0e0 |
//! | ops.Nanvar | 1 | 1e-8 | 0e0 |
//! | ops.Negative | 1 | 0e0 | 0e0 |
//! | ops.Norm | 8 | 4e-7 | 4e-7 |
//! | ops.Normalize | 1 | 1e-7 | 5e-8 |
//! | ops.Outer | 2 | 8e-8 | 0e0 |
//! | ops.PSNR | 2 | 6e-8 | 6e-8 |
//! | ops.Pad | 9 | 6e-8 | 1e-7 |
//! | ops.PadImages | 1 | 0e0 | 0e0 |
//! | ops.Percentile | 1 | 0e0 | 0e0 |
//! | ops.PerspectiveTransform | 2 | 2e-6 | 2e-6 |
//! | ops.Pinv | 1 | 7e-7 | 6e-7 |
//! | ops.Polar | 2 | 0e0 | 7e-8 |
//! | ops.Power | 2 | 2e-7 | 1e-7 |
//! | ops.Prod | 1 | 7e-8 | 7e-8 |
//! | ops.Ptp | 2 | 0e0 | 0e0 |
//! | ops.Qr | 1 | 2e-7 | 2e-7 |
//! | ops.Quantile | 1 | 0e0 | 0e0 |
//! | ops.RFFT | 1 | 1e-7 | 1e-7 |
//! | ops.RGBToGrayscale | 1 | 0e0 | 0e0 |
//! | ops.RGBToHSV | 1 | 7e-7 | 3e-6 |
//! | ops.RMSNorm | 2 | 1e-7 | 2e-7 |
//! | ops.Rad2deg | 1 | 0e0 | 0e0 |
//! | ops.Ravel | 1 | 0e0 | 0e0 |
//! | ops.ReLU | 6 | 0e0 | 0e0 |
//! | ops.Real | 1 | 0e0 | 0e0 |
//! | ops.Rearrange | 1 | 0e0 | 0e0 |
//! | ops.Reciprocal | 1 | 2e-7 | 2e-7 |
//! | ops.Relu | 2 | 0e0 | 0e0 |
//! | ops.Relu6 | 2 | 0e0 | 0e0 |
//! | ops.Repeat | 1 | 0e0 | 3e-8 |
//! | ops.Reshape | 1 | 0e0 | 0e0 |
//! | ops.Resize | 5 | 3e-7 | 3e-7 |
//! | ops.Roll | 1 | 0e0 | 0e0 |
//! | ops.Rot90 | 1 | 0e0 | 0e0 |
//! | ops.Rsqrt | 1 | 8e-8 | 8e-8 |
//! | ops.SSIM | 2 | 7e-7 | 6e-7 |
//! | ops.STFT | 1 | 8e-8 | 8e-8 |
//! | ops.SVD | 2 | 1e-6 | 3e-6 |
//! | ops.SaturateCast | 1 | 0e0 | 0e0 |
//! | ops.ScaleAndTranslate | 2 | 3e-7 | 3e-7 |
//! | ops.Scatter | 1 | 0e0 | 0e0 |
//! | ops.ScatterUpdate | 2 | 0e0 | 0e0 |
//! | ops.SegmentMax | 1 | 0e0 | 0e0 |
//! | ops.SegmentMin | 1 | 0e0 | 0e0 |
//! | ops.SegmentSum | 1 | 0e0 | 0e0 |
//! | ops.Select | 2 | 0e0 | 0e0 |
//! | ops.Selu | 2 | 7e-8 | 7e-8 |
//! | ops.SeparableConv | 3 | 4e-7 | 2e-7 |
//! | ops.Sigmoid | 1 | 9e-8 | 9e-8 |
//! | ops.Silu | 1 | 4e-8 | 4e-8 |
//! | ops.Sin | 1 | 0e0 | 7e-8 |
//! | ops.Sinc | 1 | 8e-8 | 2e-7 |
//! | ops.Sinh | 1 | 5e-8 | 5e-8 |
//! | ops.Slice | 1 | 0e0 | 0e0 |
//! | ops.SliceUpdate | 2 | 0e0 | 0e0 |
//! | ops.Slogdet | 1 | 4e-8 | 8e-8 |
//! | ops.SobelEdges | 1 | 1e-7 | 1e-7 |
//! | ops.SoftShrink | 2 | 0e0 | 0e0 |
//! | ops.Softmax | 1 | 2e-7 | 2e-7 |
//! | ops.Softplus | 2 | 8e-8 | 8e-8 |
//! | ops.Softsign | 2 | 4e-8 | 4e-8 |
//! | ops.Solve | 2 | 1e-7 | 1e-7 |
//! | ops.SolveTriangular | 4 | 1e-7 | 2e-7 |
//! | ops.Sort | 1 | 0e0 | 0e0 |
//! | ops.SpaceToDepth | 1 | 0e0 | 0e0 |
//! | ops.SparseCategoricalCrossentropy | 1 | 5e-8 | 5e-8 |
//! | ops.SparsePlus | 2 | 0e0 | 0e0 |
//! | ops.SparseSigmoid | 2 | 0e0 | 0e0 |
//! | ops.Sparsemax | 2 | 0e0 | 0e0 |
//! | ops.Split | 1 | 0e0 | 0e0 |
//! | ops.Sqrt | 1 | 1e-7 | 1e-7 |
//! | ops.Square | 2 | 0e0 | 0e0 |
//! | ops.Squareplus | 2 | 4e-8 | 4e-8 |
//! | ops.Squeeze | 1 | 0e0 | 0e0 |
//! | ops.Stack | 2 | 0e0 | 0e0 |
//! | ops.Std | 1 | 1e-7 | 1e-7 |
//! | ops.StopGradient | 1 | 0e0 | 0e0 |
//! | ops.Subtract | 2 | 0e0 | 0e0 |
//! | ops.Sum | 1 | 0e0 | 0e0 |
//! | ops.Swapaxes | 1 | 0e0 | 0e0 |
//! | ops.Take | 1 | 0e0 | 0e0 |
//! | ops.TakeAlongAxis | 1 | 0e0 | 0e0 |
//! | ops.Tan | 1 | 0e0 | 6e-8 |
//! | ops.Tanh | 1 | 2e-7 | 2e-7 |
//! | ops.TanhShrink | 2 | 1e-7 | 1e-7 |
//! | ops.Tensordot | 2 | 0e0 | 9e-8 |
//! | ops.Threshold | 1 | 0e0 | 0e0 |
//! | ops.Tile | 1 | 0e0 | 7e-8 |
//! | ops.TopK | 1 | 0e0 | 0e0 |
//! | ops.Trace | 1 | 0e0 | 0e0 |
//! | ops.Transpose | 1 | 0e0 | 0e0 |
//! | ops.Trapezoid | 1 | 0e0 | 0e0 |
//! | ops.Tril | 1 | 0e0 | 0e0 |
//! | ops.Triu | 1 | 0e0 | 0e0 |
//! | ops.TrueDivide | 2 | 6e-8 | 6e-8 |
//! | ops.Unfold | 1 | 5e-8 | 5e-8 |
//! | ops.Unstack | 1 | 0e0 | 0e0 |
//! | ops.Vander | 1 | 1e-7 | 5e-8 |
//! | ops.Var | 1 | 4e-8 | 0e0 |
//! | ops.Vdot | 2 | 0e0 | 0e0 |
//! | ops.ViewAsComplex | 1 | 0e0 | 0e0 |
//! | ops.ViewAsReal | 2 | 4e-8 | 9e-8 |
//! | ops.Vsplit | 1 | 0e0 | 0e0 |
//! | ops.Vstack | 2 | 0e0 | 0e0 |
//! | ops.Where | 2 | 0e0 | 0e0 |
//!
//! Classes that are not in the table:
//!
//! | class | because it |
//! | --- | --- |
//! | ops.Abs | has another class in files: Absolute, Conjugate |
//! | ops.All | gives whole numbers or truth values |
//! | ops.AllClose | gives whole numbers or truth values |
//! | ops.Any | gives whole numbers or truth values |
//! | ops.Arange | takes no values of a graph, or their shapes only |
//! | ops.Argmax | gives whole numbers or truth values |
//! | ops.Argmin | gives whole numbers or truth values |
//! | ops.Argpartition | gives whole numbers or truth values |
//! | ops.Argsort | gives whole numbers or truth values |
//! | ops.Array | takes no values of a graph, or their shapes only |
//! | ops.AssociativeScan | calls a Python function |
//! | ops.Bartlett | takes no values of a graph, or their shapes only |
//! | ops.Bincount | gives whole numbers or truth values |
//! | ops.BitwiseAnd | takes whole numbers |
//! | ops.BitwiseInvert | takes whole numbers |
//! | ops.BitwiseLeftShift | takes whole numbers |
//! | ops.BitwiseNot | takes whole numbers |
//! | ops.BitwiseOr | takes whole numbers |
//! | ops.BitwiseRightShift | takes whole numbers |
//! | ops.BitwiseXor | takes whole numbers |
//! | ops.Blackman | takes no values of a graph, or their shapes only |
//! | ops.CTCDecode | gives whole numbers or truth values |
//! | ops.Ceil | is constant between its steps |
//! | ops.Cond | calls a Python function |
//! | ops.Conj | has another class in files: Absolute, Conjugate |
//! | ops.ConvTranspose | gets two of its arguments in the wrong order in Keras 3.15.1, which cannot run it |
//! | ops.CountNonzero | gives whole numbers or truth values |
//! | ops.Digitize | gives whole numbers or truth values |
//! | ops.Eig | cannot be differentiated by JAX |
//! | ops.ElasticTransform | is random |
//! | ops.Empty | takes no values of a graph, or their shapes only |
//! | ops.EmptyLike | takes no values of a graph, or their shapes only |
//! | ops.Equal | gives whole numbers or truth values |
//! | ops.Eye | takes no values of a graph, or their shapes only |
//! | ops.Floor | is constant between its steps |
//! | ops.FloorDivide | is constant between its steps |
//! | ops.ForiLoop | calls a Python function |
//! | ops.Full | takes no values of a graph, or their shapes only |
//! | ops.FullLike | takes no values of a graph, or their shapes only |
//! | ops.Gcd | takes whole numbers |
//! | ops.Geomspace | takes no values of a graph, or their shapes only |
//! | ops.Greater | gives whole numbers or truth values |
//! | ops.GreaterEqual | gives whole numbers or truth values |
//! | ops.Hamming | takes no values of a graph, or their shapes only |
//! | ops.Hanning | takes no values of a graph, or their shapes only |
//! | ops.Heaviside | is constant between its steps |
//! | ops.Histogram | gives whole numbers or truth values |
//! | ops.Identity | takes no values of a graph, or their shapes only |
//! | ops.InTopK | gives whole numbers or truth values |
//! | ops.IsIn | gives whole numbers or truth values |
//! | ops.Isclose | gives whole numbers or truth values |
//! | ops.Isfinite | gives whole numbers or truth values |
//! | ops.Isinf | gives whole numbers or truth values |
//! | ops.Isnan | gives whole numbers or truth values |
//! | ops.Isneginf | gives whole numbers or truth values |
//! | ops.Isposinf | gives whole numbers or truth values |
//! | ops.Isreal | gives whole numbers or truth values |
//! | ops.JVP | calls a Python function |
//! | ops.Kaiser | takes no values of a graph, or their shapes only |
//! | ops.Lcm | takes whole numbers |
//! | ops.LeftShift | takes whole numbers |
//! | ops.Less | gives whole numbers or truth values |
//! | ops.LessEqual | gives whole numbers or truth values |
//! | ops.Linspace | takes no values of a graph, or their shapes only |
//! | ops.LogicalAnd | gives whole numbers or truth values |
//! | ops.LogicalNot | gives whole numbers or truth values |
//! | ops.LogicalOr | gives whole numbers or truth values |
//! | ops.LogicalXor | gives whole numbers or truth values |
//! | ops.Logspace | takes no values of a graph, or their shapes only |
//! | ops.Map | calls a Python function |
//! | ops.MatrixRank | gives whole numbers or truth values |
//! | ops.MultiHot | gives whole numbers or truth values |
//! | ops.Nanargmax | gives whole numbers or truth values |
//! | ops.Nanargmin | gives whole numbers or truth values |
//! | ops.Ndim | gives whole numbers or truth values |
//! | ops.Nextafter | is constant between its steps |
//! | ops.Nonzero | gives whole numbers or truth values |
//! | ops.NotEqual | gives whole numbers or truth values |
//! | ops.OneHot | gives whole numbers or truth values |
//! | ops.Ones | takes no values of a graph, or their shapes only |
//! | ops.OnesLike | takes no values of a graph, or their shapes only |
//! | ops.RightShift | takes whole numbers |
//! | ops.Round | is constant between its steps |
//! | ops.Scan | calls a Python function |
//! | ops.SearchSorted | gives whole numbers or truth values |
//! | ops.SegmentProd | cannot be differentiated by JAX |
//! | ops.Shape | gives whole numbers or truth values |
//! | ops.Sign | is constant between its steps |
//! | ops.Signbit | gives whole numbers or truth values |
//! | ops.Size | gives whole numbers or truth values |
//! | ops.Switch | calls a Python function |
//! | ops.Tri | takes no values of a graph, or their shapes only |
//! | ops.Trunc | is constant between its steps |
//! | ops.Unique | gives whole numbers or truth values |
//! | ops.UnravelIndex | takes whole numbers |
//! | ops.VectorizedMap | calls a Python function |
//! | ops.View | reads bits as another dtype |
//! | ops.WhileLoop | calls a Python function |
//! | ops.Zeros | takes no values of a graph, or their shapes only |
//! | ops.ZerosLike | takes no values of a graph, or their shapes only |
