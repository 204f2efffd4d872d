//! Convolutions and their gradients: the problem, and the choice among its kernels.

use crate::base::Result;
use crate::gpu::{Caps, Kind};
use crate::kernels::build::{is_fours, words};
use crate::kernels::variant::{Variant, choose};
use crate::kernels::{
    Epilogue, Launch, MatMul, choose_matmul, conv_block, conv_depthwise, conv_depthwise_line,
    conv_direct, conv_filter_grad, conv_filter_grad_split, conv_gemm,
};

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConvKind {
    /// The convolution: binds the input, the filter and the output.
    Forward,
    /// The gradient with respect to the input, which is also the transposed convolution: binds the
    /// output's gradient, the filter and the input's gradient.
    InputGrad,
    /// The gradient with respect to the filter: binds the input, the output's gradient and the
    /// filter's gradient.
    FilterGrad,
}

/// A convolution of channels-last float32 tensors of three spatial axes (fewer are led by extents
/// of 1): input `[batch, input…, in_channels]`, output `[batch, output…, out_channels]`, filter
/// `[kernel…, in_channels / groups, out_channels]`, as Keras stores it. All fields describe the
/// forward convolution, whatever the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv {
    /// Number of examples.
    pub batch: usize,
    /// Spatial extents of the input.
    pub input: [usize; 3],
    /// Channels of the input, those of all groups.
    pub in_channels: usize,
    /// Spatial extents of the output.
    pub output: [usize; 3],
    /// Channels of the output, those of all groups.
    pub out_channels: usize,
    /// Spatial extents of the filter, without what dilation puts between.
    pub kernel: [usize; 3],
    /// Steps of the window along each axis.
    pub stride: [usize; 3],
    /// Distance along each axis between neighbours in the filter; 1 for no gaps.
    pub dilation: [usize; 3],
    /// Zeros before the first element; those behind the last follow from the output's extents.
    pub pad: [usize; 3],
    /// Parts into which the channels fall, each convolved on its own.
    pub groups: usize,
    /// Which of the three tensors is computed.
    pub kind: ConvKind,
}

/// The shaders' `Params`, of `shaders/lib/conv.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Params {
    batch: u32,
    source: [u32; 3],
    source_channels: u32,
    out: [u32; 3],
    out_channels: u32,
    taps: [u32; 3],
    scale: [u32; 3],
    shift: [i32; 3],
    reach: [i32; 3],
    divisor: [u32; 3],
    depth: u32,
    cols: u32,
    line: u32,
    tap_stride: u32,
    group_stride: u32,
    rows: u32,
    row_blocks: u32,
    col_blocks: u32,
    blocks: u32,
}

/// The kernel for a convolution on an adapter.
///
/// Where the filter has one tap and nothing is skipped, it is a matrix product. For the rest, where no
/// measurement has chosen: one channel per group is the depthwise kernel, on a software adapter the one for
/// neighbours at once, or, with unsuitable channels, the direct one, which also serves groups of fewer than four output channels. Everything else, and the
/// gradient of the filter, works in registers alone on a software adapter and in workgroup memory on a
/// GPU.
///
/// # Errors
/// [`crate::base::Error::Limit`] when an extent does not fit 32 bits.
pub fn choose_conv(problem: &Conv, caps: &Caps, epilogue: &Epilogue) -> Result<Launch> {
    match problem.as_matmul() {
        Some(product) => choose_matmul(&product, caps, epilogue),
        None => {
            let name = problem.name() + epilogue.right.title();
            choose(name, problem, &problem.variants(caps), caps, epilogue)
        }
    }
}

impl Conv {
    /// The kernels that can compute it, the one for the adapter's kind first.
    fn variants(&self, caps: &Caps) -> Vec<Variant<Conv>> {
        let direct = Variant { kernel: "conv_direct", launch: conv_direct::launch };
        if let Some(variants) = self.depthwise_variants(caps) {
            return variants;
        }
        let mut variants: Vec<Variant<Conv>> = match self.kind {
            ConvKind::FilterGrad => {
                let launch = conv_filter_grad::launch;
                let alone = Variant { kernel: "conv_filter_grad", launch };
                let launch = conv_filter_grad_split::launch;
                vec![Variant { kernel: "conv_filter_grad_split", launch }, alone]
            }
            ConvKind::Forward | ConvKind::InputGrad => {
                let block = Variant { kernel: "conv_block", launch: conv_block::launch };
                vec![Variant { kernel: "conv_gemm", launch: conv_gemm::launch }, block]
            }
        };
        if caps.kind == Kind::Software {
            variants.reverse();
        }
        if self.kind != ConvKind::FilterGrad && self.groups > 1 && self.cols() < 4 {
            variants.insert(0, direct);
        }
        variants
    }

    /// The same for one channel in each group, with a kernel for it.
    fn depthwise_variants(&self, caps: &Caps) -> Option<Vec<Variant<Conv>>> {
        let mut variants = Vec::with_capacity(2);
        if conv_depthwise::applies(self) {
            let launch = conv_depthwise::launch;
            variants.push(Variant { kernel: "conv_depthwise", launch });
        }
        if conv_depthwise_line::applies(self) {
            let launch = conv_depthwise_line::launch;
            // Neighbours at once are for adapters that pay for every load.
            let at = if caps.kind == Kind::Software { 0 } else { variants.len() };
            variants.insert(at, Variant { kernel: "conv_depthwise_line", launch });
        }
        (!variants.is_empty()).then_some(variants)
    }

    /// All that tells it apart from others.
    fn name(&self) -> String {
        let kind = match self.kind {
            ConvKind::Forward => "conv",
            ConvKind::InputGrad => "conv_input_grad",
            ConvKind::FilterGrad => "conv_filter_grad",
        };
        let join = |e: [usize; 3]| e.map(|n| n.to_string()).join("x");
        let Conv { stride, dilation, pad, groups, .. } = *self;
        format!(
            "{} stride {} dilation {} pad {} groups {groups}",
            self.label(kind),
            join(stride),
            join(dilation),
            join(pad)
        )
    }

    /// The matrix product that a convolution with one tap and without stride, padding or groups
    /// is.
    pub fn as_matmul(&self) -> Option<MatMul> {
        let pointwise = self.kernel == [1; 3]
            && self.stride == [1; 3]
            && self.pad == [0; 3]
            && self.groups == 1
            && self.input == self.output;
        let rows = self.batch * self.output.iter().product::<usize>();
        let (c, f) = (self.in_channels, self.out_channels);
        let (m, n, k) = match self.kind {
            ConvKind::Forward => (rows, f, c),
            ConvKind::InputGrad => (rows, c, f),
            ConvKind::FilterGrad => (c, f, rows),
        };
        pointwise.then_some(MatMul {
            batch: 1,
            m,
            n,
            k,
            a_batch: true,
            b_batch: true,
            transpose_a: self.kind == ConvKind::FilterGrad,
            transpose_b: self.kind == ConvKind::InputGrad,
            halves: false,
        })
    }

    /// Source channels of one group.
    pub(super) fn depth(&self) -> usize {
        match self.kind {
            ConvKind::InputGrad => self.out_channels / self.groups.max(1),
            _ => self.in_channels / self.groups.max(1),
        }
    }

    /// Output channels of one group.
    pub(super) fn cols(&self) -> usize {
        match self.kind {
            ConvKind::InputGrad => self.in_channels / self.groups.max(1),
            _ => self.out_channels / self.groups.max(1),
        }
    }

    /// Positions of the whole batch in the kernel's output.
    pub(super) fn rows(&self) -> usize {
        self.batch * self.out_extents().iter().product::<usize>()
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    pub(super) fn out_extents(&self) -> [usize; 3] {
        if self.kind == ConvKind::InputGrad { self.input } else { self.output }
    }

    /// The prelude of the kernels that work in both directions.
    pub(super) fn prelude(&self, workgroup: usize) -> String {
        let backward = self.kind == ConvKind::InputGrad;
        let divided = backward && self.stride != [1; 3];
        format!(
            "const WG = {workgroup}u;\nconst B_TRANSPOSED = {backward};\n\
             const DIVIDED = {divided};\n"
        )
    }

    /// Whether four channels of the source, and of a line of the second operand, can be read at
    /// once.
    pub(super) fn alignment(&self) -> [bool; 2] {
        let fours = |numbers: &[usize]| numbers.iter().all(|&n| is_fours(n));
        let filters = self.out_channels / self.groups.max(1);
        match self.kind {
            ConvKind::Forward => {
                // The filter's lines are read one by one, however many there are.
                let depth = self.depth();
                [
                    fours(&[self.in_channels, depth]),
                    depth > 0 && fours(&[self.out_channels, filters]),
                ]
            }
            ConvKind::InputGrad => [fours(&[self.out_channels, filters]); 2],
            ConvKind::FilterGrad => {
                [fours(&[self.in_channels, self.depth()]), fours(&[self.out_channels, filters])]
            }
        }
    }

    /// The parameters, with the output divided into blocks.
    pub(super) fn params(
        &self,
        row_blocks: usize,
        col_blocks: usize,
        blocks: usize,
    ) -> Result<Params> {
        let filters = self.out_channels / self.groups.max(1);
        let lines = self.in_channels / self.groups.max(1);
        let [batch, depth, cols, line, tap_stride, group_stride] = words([
            self.batch,
            self.depth(),
            self.cols(),
            self.out_channels,
            lines * self.out_channels,
            filters,
        ])?;
        let [rows, row_blocks, col_blocks, blocks] =
            words([self.rows(), row_blocks, col_blocks, blocks])?;
        let [inner, outer] = words([self.in_channels, self.out_channels])?;
        let (input, output) = (words(self.input)?, words(self.output)?);
        let (stride, pad) = (words(self.stride)?, words(self.pad)?.map(|p| p as i32));
        let dilation = words(self.dilation)?.map(|d| d as i32);
        let backward = self.kind == ConvKind::InputGrad;
        let pick = |forward, gradient| if backward { gradient } else { forward };
        Ok(Params {
            batch,
            source: if backward { output } else { input },
            source_channels: pick(inner, outer),
            out: if backward { input } else { output },
            out_channels: pick(outer, inner),
            taps: words(self.kernel)?,
            scale: if backward { [1; 3] } else { stride },
            shift: if backward { pad } else { pad.map(|p| -p) },
            reach: if backward { dilation.map(|d| -d) } else { dilation },
            divisor: if backward { stride } else { [1; 3] },
            depth,
            cols,
            line,
            tap_stride,
            group_stride,
            rows,
            row_blocks,
            col_blocks,
            blocks,
        })
    }

    pub(super) fn label(&self, kernel: &str) -> String {
        let join = |e: [usize; 3]| e.map(|n| n.to_string()).join("x");
        format!(
            "{kernel} {}x{}x{} to {}x{} by {}",
            self.batch,
            join(self.input),
            self.in_channels,
            join(self.output),
            self.out_channels,
            join(self.kernel)
        )
    }
}
