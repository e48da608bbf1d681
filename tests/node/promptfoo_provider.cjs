// A model for promptfoo that answers each conversation as `answers.json` beside the configuration says.
const fs = require("node:fs");

module.exports = class {
  constructor(options) {
    this.answers = new Map(JSON.parse(fs.readFileSync(options.config.answers, "utf8")));
  }
  id() {
    return "answers";
  }
  async callApi(prompt) {
    const output = this.answers.get(JSON.stringify(JSON.parse(prompt)));
    return output === undefined ? { error: `no answer to ${prompt}` } : { output };
  }
};
