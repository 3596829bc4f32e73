/**
 * One model on one device: tokens in, tokens out. Knows no text, no messages, no file paths.
 * Interface (to be implemented; see docs/ARCHITECTURE.md).
 */
