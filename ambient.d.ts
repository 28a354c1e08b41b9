declare module '*.sql' {
  const text: string;
  export default text;
}

declare module '*.program.js' {
  const text: string;
  export default text;
}
