// Lets Node find what TensorFlow.js's modules import without naming the file's extension.

const ABSENT = ['ERR_MODULE_NOT_FOUND', 'ERR_UNSUPPORTED_DIR_IMPORT'];

/** A hook of `node:module`. */
export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (ABSENT.includes(error.code) && specifier.startsWith('.')) return next(`${specifier}.js`, context);
    throw error;
  }
}
