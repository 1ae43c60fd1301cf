/** Style sheets, which the bundler takes and the compiler doesn't read. */
declare module '*.css';
