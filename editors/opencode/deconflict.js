// An opencode plugin: claims files before opencode edits them, tells who else holds what, and delivers messages.
//
// It only carries events to `deconflict hook opencode` and its answers back; every decision is made there.
// What goes in and what comes out is told in the README beside this file.

import { spawn } from "node:child_process";

/** After so many milliseconds without an answer the agent goes on; the program's own limit is shorter. */
const LIMIT = 10_000;

/** @param {{ directory: string, client?: any }} context */
export const Deconflict = async ({ directory, client }) => {
  const command = process.env.DECONFLICT_COMMAND || "deconflict";
  /** Sub-agents run in sessions of their own, which name the one that started them. */
  const parents = new Map();
  /** What the model should know, until there is a message that can carry it. */
  const waiting = new Map();

  const tellUser = async (message, variant) => {
    try {
      await client?.tui?.showToast({ body: { title: "deconflict", message, variant } });
    } catch {
      // Without a screen nobody is there to be told.
    }
  };

  /** What is known of the others is missing then. The user hears it each time, the model once: not everybody has a screen. */
  let modelKnows = false;
  const couldNotAsk = (reason) => {
    const more = modelKnows
      ? {}
      : {
          context:
            `deconflict could not be asked who else works on these files: ${reason}. ` +
            "Tell the user, for whom `deconflict doctor` says what to do.",
        };
    modelKnows = true;
    return { notice: reason, ...more };
  };

  /** Gives one event to the program and returns its answer; what could not be asked is told. */
  const ask = (event, sessionID, more = {}) =>
    new Promise((resolve) => {
      const child = spawn(command, ["hook", "opencode"], { cwd: directory, stdio: ["pipe", "pipe", "pipe"] });
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        child.kill();
      }, LIMIT);
      let answer = "";
      let complaint = "";
      child.stdout.on("data", (text) => (answer += text));
      child.stderr.on("data", (text) => (complaint += text));
      child.stdin.on("error", () => {});
      child.on("error", (error) => {
        clearTimeout(timer);
        resolve(couldNotAsk(`${command} could not be started: ${error.message}`));
      });
      child.on("close", (code) => {
        clearTimeout(timer);
        try {
          resolve(answer.trim() === "" && code === 0 ? {} : JSON.parse(answer));
        } catch {
          const reason = isLate ? `within ${LIMIT / 1000} seconds` : `(exit code ${code})`;
          resolve(couldNotAsk(complaint.trim() || `${command} gave no answer ${reason}`));
        }
      });
      const parentID = parents.get(sessionID);
      child.stdin.end(JSON.stringify({ event, sessionID, ...(parentID ? { parentID } : {}), directory, ...more }));
    });

  /** Keeps what the model should know, and shows the user what is for the user. */
  const note = async (sessionID, answer) => {
    if (answer.context) {
      waiting.set(sessionID, [...(waiting.get(sessionID) ?? []), answer.context]);
    }
    if (answer.notice) {
      await tellUser(answer.notice, "warning");
    }
    return answer;
  };

  return {
    event: async ({ event }) => {
      const properties = event.properties ?? {};
      const sessionID = properties.info?.id ?? properties.sessionID;
      if (typeof sessionID !== "string") {
        return;
      }
      if (event.type === "session.created") {
        if (properties.info?.parentID) {
          parents.set(sessionID, properties.info.parentID);
        }
        await note(sessionID, await ask("session.created", sessionID));
      } else if (event.type === "session.idle") {
        await note(sessionID, await ask("session.idle", sessionID));
      } else if (event.type === "session.deleted") {
        await ask("session.deleted", sessionID);
        parents.delete(sessionID);
        waiting.delete(sessionID);
      }
    },

    "chat.message": async (input, output) => {
      const sessionID = input.sessionID;
      await note(sessionID, await ask("chat.message", sessionID));
      const texts = waiting.get(sessionID);
      const part = output.parts?.find((each) => each.type === "text");
      if (texts && part) {
        part.text = `${part.text}\n\n${texts.join("\n\n")}`;
        waiting.delete(sessionID);
      }
    },

    "tool.execute.before": async (input, output) => {
      const answer = await ask("tool.execute.before", input.sessionID, { tool: input.tool, args: output.args });
      await note(input.sessionID, answer);
      if (answer.deny) {
        throw new Error(answer.deny);
      }
    },

    "tool.execute.after": async (input, output) => {
      const more = { tool: input.tool, args: input.args };
      await note(input.sessionID, await ask("tool.execute.after", input.sessionID, more));
      const texts = waiting.get(input.sessionID);
      if (texts && typeof output?.output === "string") {
        output.output = `${output.output}\n\n${texts.join("\n\n")}`;
        waiting.delete(input.sessionID);
      }
    },

    "shell.env": async (input, output) => {
      if (input.sessionID && output?.env) {
        const answer = await ask("shell.env", input.sessionID);
        Object.assign(output.env, answer.env ?? {});
      }
    },
  };
};
