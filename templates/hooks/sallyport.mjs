// SPDX-License-Identifier: GPL-3.0-or-later
// sallyport from a panel in Node: await sallyport() gives the result, or throws Refused. See sallyport-helper(8).
import { spawn } from "node:child_process";

export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    Object.assign(this, { status, code: error.code }, error.data); // reason, field, hint
  }
}

export function sallyport(method, params) {
  return new Promise((resolve, reject) => {
    const helper = spawn("sudo", ["-n", "/usr/libexec/sallyport/sallyport-helper"], { stdio: ["pipe", "pipe", "inherit"] });
    let text = "";
    helper.stdout.setEncoding("utf8").on("data", (part) => (text += part));
    helper.stdin.on("error", () => {}); // a sudo that says no reads nothing
    helper.on("error", reject).on("close", (status) => {
      if (text === "") return reject(new Error(`sallyport-helper gave no answer: exit ${status}`));
      const answer = JSON.parse(text);
      return status === 0 ? resolve(answer.result) : reject(new Refused(status, answer.error));
    });
    helper.stdin.end(JSON.stringify({ jsonrpc: "2.0", id: "1", method, params }));
  });
}
