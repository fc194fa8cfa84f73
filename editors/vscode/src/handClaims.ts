import type { Memento } from "vscode";
import { type Disposable, disposeAll } from "./disposable";
import type { Knowledge } from "./knowledge";
import type { Log } from "./log";
import type { Places } from "./places";
import type { Server } from "./server";

/** Where it is kept what the user claimed by hand. */
const CLAIMED = "claimedByHand";
/** A window that was away for longer, in milliseconds, was closed and not loaded again. */
const AWAY = 5 * 60_000;
/** That the window is there is noted so often, in milliseconds. */
const SIGN = 60_000;

interface Claimed {
  readonly at: number;
  readonly uris: readonly string[];
}

/**
 * Claims again, after the window was loaded again, what the user had claimed by hand: a server that ends gives all back.
 * What somebody else took meanwhile is theirs.
 */
export class HandClaims implements Disposable {
  private isRestored = false;
  private uris: readonly string[] = [];
  private readonly subscriptions: Disposable[];

  constructor(
    private readonly server: Server,
    private readonly knowledge: Knowledge,
    private readonly places: Places,
    private readonly memory: Memento,
    private readonly log: Log,
  ) {
    const timer = setInterval(() => {
      this.remember();
    }, SIGN);
    this.subscriptions = [
      { dispose: () => { clearInterval(timer); } },
      server.onLife((life) => {
        this.isRestored = this.isRestored && life === "running";
      }),
      knowledge.onChange(() => {
        if (knowledge.participation === "active" && knowledge.isKnown) {
          void this.look();
        }
      }),
    ];
  }

  dispose(): void {
    disposeAll(this.subscriptions);
  }

  private async look(): Promise<void> {
    if (!this.isRestored) {
      this.isRestored = true;
      const { at, uris } = this.memory.get<Claimed>(CLAIMED, { at: 0, uris: [] });
      const known = new Set(this.held());
      for (const uri of Date.now() - at < AWAY ? uris.filter((one) => !known.has(one)) : []) {
        const answer = await this.server.query("claim", { uri });
        this.log.decided(answer === undefined ? "not claimed again" : "claimed again", undefined, uri);
      }
      await this.knowledge.read();
      return;
    }
    const held = this.held();
    if (JSON.stringify(held) !== JSON.stringify(this.uris)) {
      this.uris = held;
      this.remember();
    }
  }

  private held(): string[] {
    const byHand = this.knowledge.ownClaims.filter(({ automatic }) => automatic !== true);
    return byHand.flatMap((claim) => this.places.uriOf(claim.path)?.toString() ?? []);
  }

  private remember(): void {
    if (this.isRestored) {
      void this.memory.update(CLAIMED, { at: Date.now(), uris: this.uris } satisfies Claimed);
    }
  }
}
