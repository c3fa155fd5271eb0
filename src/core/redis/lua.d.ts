/** Lua scripts are imported as text: `import swap from "./swap.lua" with { type: "text" }`. */
declare module "*.lua" {
  const text: string;
  export default text;
}
