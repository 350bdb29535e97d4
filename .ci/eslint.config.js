// How the page's JavaScript and its tests are linted; prettier formats them.

import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "array-callback-return": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "max-lines": ["error", 350],
      "max-lines-per-function": ["error", 60],
      "no-implicit-coercion": "error",
      "no-param-reassign": "error",
      "no-shadow": ["error", { builtinGlobals: false }],
      "no-unused-expressions": "error",
      "no-use-before-define": ["error", { functions: false, classes: false }],
      "no-useless-concat": "error",
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-arrow-callback": "error",
      "prefer-const": "error",
      "prefer-template": "error",
      radix: "error",
    },
  },
  { files: ["page/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["tests/js/*.mjs"], languageOptions: { globals: globals.nodeBuiltin } },
];
