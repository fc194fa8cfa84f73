/** Whatever has to be put away when the extension ends. */
export interface Disposable {
  dispose(): unknown;
}

export function disposeAll(all: readonly Disposable[]): void {
  for (const one of all) {
    one.dispose();
  }
}
