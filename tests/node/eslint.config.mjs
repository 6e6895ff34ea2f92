// Scripts of the console, and what Node runs: names that are nowhere defined, and those that nobody uses.
import js from "@eslint/js";
import globals from "globals";

export default [
  {
    ...js.configs.recommended,
    files: ["**/*.js"],
    languageOptions: { sourceType: "module", globals: globals.browser },
    linterOptions: { reportUnusedDisableDirectives: "error" },
  },
  {
    ...js.configs.recommended,
    files: ["**/*.mjs"],
    languageOptions: { sourceType: "module", globals: globals.node },
    linterOptions: { reportUnusedDisableDirectives: "error" },
  },
];
