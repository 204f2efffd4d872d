//! Several kernels for one problem, and the choice among them.

use crate::base::{Error, Result};
use crate::gpu::{Caps, KernelChoice};
use crate::kernels::{Epilogue, Launch};

/// A kernel that can compute a problem.
pub(super) struct Variant<P> {
    /// Its name.
    pub(super) kernel: &'static str,
    pub(super) launch: fn(&P, &Caps, &Epilogue) -> Result<Launch>,
}

/// The launch of the variant that measurements on the adapter have chosen, else of the first. `name` is
/// the problem's, by which a choice is kept.
pub(super) fn choose<P>(
    name: String,
    problem: &P,
    variants: &[Variant<P>],
    caps: &Caps,
    epilogue: &Epilogue,
) -> Result<Launch> {
    let kernels = variants.iter().map(|variant| variant.kernel).collect();
    let (kernel, choice) = pick(name, kernels, caps)?;
    let variant = variants.iter().find(|variant| variant.kernel == kernel);
    let variant = variant.ok_or_else(|| Error::Internal(format!("no variant '{kernel}'")))?;
    Ok(Launch { choice, ..(variant.launch)(problem, caps, epilogue)? })
}

/// The kernel for a problem, and what it was chosen among, where there is more than one.
pub(super) fn pick(
    problem: String,
    kernels: Vec<&'static str>,
    caps: &Caps,
) -> Result<(&'static str, Option<KernelChoice>)> {
    let choice = KernelChoice { problem, kernels };
    let kernel = caps.choices.pick(&choice);
    let kernel =
        kernel.ok_or_else(|| Error::Internal(format!("no kernel for {}", choice.problem)))?;
    Ok((kernel, Some(choice).filter(|choice| choice.kernels.len() > 1)))
}
