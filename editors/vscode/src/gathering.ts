import type { Disposable } from "./disposable";

/** What comes within so many milliseconds is told as one. */
export const GATHERING = 2_000;

/** Waits for what else comes, and hands all of it over at once. */
export class Gathering<T> implements Disposable {
  private gathered: T[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly handOver: (all: readonly T[]) => void) {}

  add(one: T): void {
    this.gathered.push(one);
    this.timer ??= setTimeout(() => {
      const all = this.gathered;
      this.timer = undefined;
      this.gathered = [];
      this.handOver(all);
    }, GATHERING);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}
