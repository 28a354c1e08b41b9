import type { Usage } from '@fairlead/shared/contract/activity';
import { amountOf, countOf, isObject, objectOf, objectsOf, textOf, type Message } from './untrusted.ts';

type Told = Partial<Usage>;

/** Adds up what an agent tells of each answer of its model, and takes what it tells of the whole where it tells that. */
export interface AcpUsage {
  /** A part of the answer that carries what it took, as one agent does; undefined where it carries nothing. */
  chunk(update: Message): Told | undefined;
  /** `usage_update`: how full the context is, and what the session has cost. */
  update(update: Message): Told | undefined;
  /** What the answer to the prompt says of all of it. */
  result(result: Message): Told | undefined;
}

/** In the words of the protocol, which counts what came from a cache apart; one agent counts it as input. */
const tokensOf = (usage: Message, inclusive: boolean) => {
  const cached = countOf(usage['cachedReadTokens']) ?? 0;
  const made = countOf(usage['cachedWriteTokens']) ?? 0;
  const input = countOf(usage['inputTokens']) ?? 0;
  return {
    input_tokens: inclusive ? input : input + cached + made,
    output_tokens: (countOf(usage['outputTokens']) ?? 0) + (inclusive ? 0 : (countOf(usage['thoughtTokens']) ?? 0)),
    cached_tokens: cached,
  };
};

export const createAcpUsage = (): AcpUsage => {
  let sum = { input_tokens: 0, output_tokens: 0, cached_tokens: 0 };
  let turns = 0;
  return {
    chunk(update) {
      const { usage } = objectOf(update['_meta']);
      if (!isObject(usage)) return undefined;
      const more = tokensOf(usage, true);
      turns += 1;
      sum = {
        input_tokens: sum.input_tokens + more.input_tokens,
        output_tokens: sum.output_tokens + more.output_tokens,
        cached_tokens: sum.cached_tokens + more.cached_tokens,
      };
      return { ...sum, turns };
    },
    update(update) {
      const cost = objectOf(update['cost']);
      const amount = amountOf(cost['amount']);
      return amount === null || cost['currency'] !== 'USD' ? undefined : { cost_usd: amount };
    },
    result(result) {
      if (turns > 0) return undefined;
      if (isObject(result['usage'])) return tokensOf(result['usage'], false);
      const count = objectOf(objectOf(objectOf(result['_meta'])['quota'])['token_count']);
      const input = countOf(count['input_tokens']);
      const output = countOf(count['output_tokens']);
      return input === null && output === null ? undefined : { input_tokens: input, output_tokens: output };
    },
  };
};

/** The model of a session that was opened, by the name that people know; null where the agent does not say. */
export const acpModel = (opened: Message): string | null => {
  const models = objectOf(opened['models']);
  const current = textOf(models['currentModelId']);
  const named = objectsOf(models['availableModels']).find(({ modelId }) => modelId === current);
  const option = objectsOf(opened['configOptions']).find(({ id }) => id === 'model');
  return textOf(named?.['name']) || current || textOf(option?.['currentValue']) || null;
};
