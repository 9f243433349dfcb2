// Listeners by event name.  One that throws does not keep the others from hearing.
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(params: any) => void>>();

  on<E extends keyof Events>(event: E, listener: (params: Events[E]) => void): () => void {
    let set = this.#listeners.get(event);
    if (!set) this.#listeners.set(event, (set = new Set()));
    set.add(listener);
    return () => void set.delete(listener);
  }

  emit<E extends keyof Events>(event: E, params: Events[E]): void {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        listener(params);
      } catch (error) {
        setTimeout(() => {
          throw error;
        });
      }
    }
  }
}
