//! Arguments of callbacks as methods.

/// Declares a method for each argument, which sets the field of its name.
macro_rules! arguments {
    ($($(#[$doc:meta])* $name:ident : $type:ty),* $(,)?) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, value: impl Into<$type>) -> Self {
                self.$name = value.into();
                self
            }
        )*
    };
}
pub(super) use arguments;
