// Calls, their options and answers.
// Made by `python -m clients.generate` from the OpenAPI document of the service.

export interface SlateOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
  strict?: boolean;
  campaign?: string | null;
  order_id?: string | null;
  repeat?: string;
}

export interface SlateAnswer {
  recommendation_id: string;
  customer_id: string | null;
  placement: string | null;
  experiment: string | null;
  variant: string | null;
  offer: SlateOffer | null;
  strategy: string;
  fallback: boolean;
  fallback_reason: string | null;
  model_version: string;
  data_as_of: string;
  model_age_days: number;
  requested: number;
  count: number;
  complete: boolean;
  missing_ids: Array<string>;
  unknown_names: Record<string, string>;
  occasion: Occasion | null;
  language: string;
  score_kind: string;
  recommendations: Array<Recommendation>;
}

export interface SlateOffer {
  id: string;
  text: string;
  code: string | null;
  single_use: boolean;
  until: string | null;
}

export interface Occasion {
  kind: string;
  text: string;
  until: string;
}

export interface Recommendation {
  id: string;
  score: number;
  source: string;
  reason: ReasonBody;
  title?: string | null;
  category?: string | null;
  brand?: string | null;
  price?: number | null;
  currency?: string | null;
  price_text?: string | null;
  url?: string | null;
  image_url?: string | null;
  in_stock?: boolean | null;
  attributes?: Record<string, unknown>;
  click_url?: string | null;
}

export interface ReasonBody {
  kind: string;
  product_ids: Array<string>;
  text: string;
}

export interface SessionOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
  strict?: boolean;
  campaign?: string | null;
  order_id?: string | null;
  repeat?: string;
  customer_id?: string | null;
  session_id?: string | null;
  recent?: Array<string>;
  basket?: Array<string>;
}

export interface PageOptions {
  customer_id?: string | null;
  session_id?: string | null;
  recent?: Array<string>;
  basket?: Array<string>;
  parts: Array<CustomerPart | SimilarPart | PopularPart | BundlesPart | BasketPart | ReplenishmentPart | ListPart | RankingPart>;
  exclude?: Array<string>;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
}

export interface CustomerPart {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  name?: string | null;
  n?: number;
  kind: string;
  strict?: boolean;
  repeat?: string;
}

export interface SimilarPart {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  name?: string | null;
  n?: number;
  kind: string;
  product_id: string;
  strict?: boolean;
}

export interface PopularPart {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  name?: string | null;
  n?: number;
  kind: string;
  strict?: boolean;
  window_days?: number | null;
}

export interface BundlesPart {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  name?: string | null;
  n?: number;
  kind: string;
  product_id: string;
  size?: number;
}

export interface BasketPart {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  name?: string | null;
  n?: number;
  kind: string;
}

export interface ReplenishmentPart {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  name?: string | null;
  n?: number;
  kind: string;
  ahead_days?: number;
}

export interface ListPart {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  name?: string | null;
  n?: number;
  kind: string;
  list_name: string;
}

export interface RankingPart {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  name?: string | null;
  n?: number;
  kind: string;
  product_ids: Array<string>;
  rules?: string;
  out_of_stock?: string;
}

export interface PageAnswer {
  customer_id: string | null;
  fallback: boolean;
  count: number;
  parts: Array<PagePartAnswer>;
}

export interface PagePartAnswer {
  name: string | null;
  kind: string;
  answer: SlateAnswer | BundleAnswer | ListAnswer | RankingAnswer | ReplenishmentAnswer;
}

export interface BundleAnswer {
  recommendation_id: string;
  customer_id: string | null;
  placement: string | null;
  experiment: string | null;
  variant: string | null;
  offer: SlateOffer | null;
  strategy: string;
  fallback: boolean;
  fallback_reason: string | null;
  model_version: string;
  data_as_of: string;
  model_age_days: number;
  requested: number;
  count: number;
  complete: boolean;
  missing_ids: Array<string>;
  unknown_names: Record<string, string>;
  occasion: Occasion | null;
  language: string;
  score_kind: string;
  recommendations: Array<Unit>;
}

export interface Unit {
  anchor_id: string;
  anchor: Card;
  held_ids: Array<string>;
  products: Array<Recommendation>;
  support: number | null;
  rule_confidence: number | null;
  lift: number | null;
  total_price: number | null;
  total_price_text: string | null;
  currency: string | null;
  expected_gain: GainBody | null;
  offer: Offer | null;
}

export interface Card {
  id: string;
  title?: string | null;
  category?: string | null;
  brand?: string | null;
  price?: number | null;
  currency?: string | null;
  price_text?: string | null;
  url?: string | null;
  image_url?: string | null;
  in_stock?: boolean | null;
  attributes?: Record<string, unknown>;
  click_url?: string | null;
}

export interface GainBody {
  value: number;
  low: number;
  high: number;
}

export interface Offer {
  bundle_id: string;
  title: string | null;
  price: number;
  price_text: string | null;
  currency: string | null;
  saving: number | null;
  saving_text: string | null;
}

export interface ListAnswer {
  recommendation_id: string;
  customer_id: string | null;
  placement: string | null;
  experiment: string | null;
  variant: string | null;
  offer: SlateOffer | null;
  strategy: string;
  fallback: boolean;
  fallback_reason: string | null;
  model_version: string;
  data_as_of: string;
  model_age_days: number;
  requested: number;
  count: number;
  complete: boolean;
  missing_ids: Array<string>;
  unknown_names: Record<string, string>;
  occasion: Occasion | null;
  language: string;
  score_kind: string;
  recommendations: Array<ListedProduct>;
  list_name: string;
}

export interface ListedProduct {
  id: string;
  score: number;
  source: string;
  reason: ReasonBody;
  title?: string | null;
  category?: string | null;
  brand?: string | null;
  price?: number | null;
  currency?: string | null;
  price_text?: string | null;
  url?: string | null;
  image_url?: string | null;
  in_stock?: boolean | null;
  attributes?: Record<string, unknown>;
  click_url?: string | null;
  since: string | null;
  former_price: number | null;
  former_price_text: string | null;
  rating_mean: number | null;
  rating_count: number | null;
}

export interface RankingAnswer {
  recommendation_id: string;
  customer_id: string | null;
  placement: string | null;
  experiment: string | null;
  variant: string | null;
  offer: SlateOffer | null;
  strategy: string;
  fallback: boolean;
  fallback_reason: string | null;
  model_version: string;
  data_as_of: string;
  model_age_days: number;
  requested: number;
  count: number;
  complete: boolean;
  missing_ids: Array<string>;
  unknown_names: Record<string, string>;
  occasion: Occasion | null;
  language: string;
  score_kind: string;
  recommendations: Array<RankedProductBody>;
  left_out: Array<LeftOutProduct>;
}

export interface RankedProductBody {
  id: string;
  title?: string | null;
  category?: string | null;
  brand?: string | null;
  price?: number | null;
  currency?: string | null;
  price_text?: string | null;
  url?: string | null;
  image_url?: string | null;
  in_stock?: boolean | null;
  attributes?: Record<string, unknown>;
  click_url?: string | null;
  score: number;
  source: string | null;
  reason: ReasonBody | null;
}

export interface LeftOutProduct {
  id: string;
  rule: string;
}

export interface ReplenishmentAnswer {
  recommendation_id: string;
  customer_id: string | null;
  placement: string | null;
  experiment: string | null;
  variant: string | null;
  offer: SlateOffer | null;
  strategy: string;
  fallback: boolean;
  fallback_reason: string | null;
  model_version: string;
  data_as_of: string;
  model_age_days: number;
  requested: number;
  count: number;
  complete: boolean;
  missing_ids: Array<string>;
  unknown_names: Record<string, string>;
  occasion: Occasion | null;
  language: string;
  score_kind: string;
  recommendations: Array<DueRecommendation>;
}

export interface DueRecommendation {
  id: string;
  score: number;
  source: string;
  reason: ReasonBody;
  title?: string | null;
  category?: string | null;
  brand?: string | null;
  price?: number | null;
  currency?: string | null;
  price_text?: string | null;
  url?: string | null;
  image_url?: string | null;
  in_stock?: boolean | null;
  attributes?: Record<string, unknown>;
  click_url?: string | null;
  interval_days: number;
  due: string;
}

export interface RankingOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  customer_id?: string | null;
  session_id?: string | null;
  recent?: Array<string>;
  basket?: Array<string>;
  product_ids: Array<string>;
  rules?: string;
  out_of_stock?: string;
  reasons?: number;
}

export interface BatchOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
  strict?: boolean;
  campaign?: string | null;
  order_id?: string | null;
  repeat?: string;
  recipients: Array<Recipient>;
}

export interface Recipient {
  customer_id: string;
  order_id?: string | null;
  exclude?: Array<string>;
  market?: string | null;
  locale?: string | null;
}

export interface BatchAnswer {
  answers: Array<SlateAnswer | RecipientProblem>;
  count: number;
  failed: number;
}

export interface RecipientProblem {
  index: number;
  customer_id: string | null;
  problem: ProblemBody;
}

export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors: Array<FieldProblem>;
}

export interface FieldProblem {
  field: string;
  problem: string;
}

export interface SimilarOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
  strict?: boolean;
  campaign?: string | null;
}

export interface BundlesOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
  strict?: boolean;
  campaign?: string | null;
  size?: number;
}

export interface BasketOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
  strict?: boolean;
  campaign?: string | null;
  basket: Array<string>;
  customer_id?: string | null;
}

export interface PopularOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
  strict?: boolean;
  campaign?: string | null;
  window_days?: number | null;
}

export interface ShopListOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
  customer_id?: string | null;
}

export interface RecentlyViewedOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
}

export interface ReplenishmentOptions {
  n?: number;
  as_of?: string | null;
  locale?: string | null;
  placement?: string | null;
  ahead_days?: number;
}

export interface DueAnswer {
  customer_id: string;
  data_as_of: string;
  count: number;
  recommendations: Array<DueProduct>;
}

export interface DueProduct {
  id: string;
  title?: string | null;
  category?: string | null;
  brand?: string | null;
  price?: number | null;
  currency?: string | null;
  price_text?: string | null;
  url?: string | null;
  image_url?: string | null;
  in_stock?: boolean | null;
  attributes?: Record<string, unknown>;
  purchases: number;
  last_purchase: string;
  interval_days: number;
  due: string;
  reason: ReasonBody;
}

export interface FollowUpOptions {
  placement?: string | null;
  exclude?: Array<string>;
  category?: string | null;
  brand?: string | null;
  min_price?: number | null;
  max_price?: number | null;
  filter?: string | null;
  market?: string | null;
  locale?: string | null;
  as_of?: string | null;
  deadline_ms?: number | null;
  fields?: string;
  n?: number;
  strict?: boolean;
  campaign?: string | null;
}

export interface EventsBody {
  events: Array<EventBody>;
}

export interface EventBody {
  event_id: string;
  kind: string;
  time: string;
  customer_id?: string | null;
  session_id?: string | null;
  product_id?: string | null;
  product_ids?: Array<string> | null;
  order_id?: string | null;
  lines?: Array<LineBody> | null;
  currency?: string | null;
  market?: string | null;
  placement?: string | null;
  recommendation_id?: string | null;
  rating?: number | string | null;
  words?: string | null;
}

export interface LineBody {
  product_id: string;
  quantity?: number;
  unit_price?: number | null;
}

export interface EventsAnswer {
  accepted: number;
  repeated: Array<number>;
  rejected: Array<Rejected>;
}

export interface Rejected {
  index: number;
  event_id: string | null;
  errors: Array<EventProblem>;
}

export interface EventProblem {
  field: string;
  problem: string;
}

export interface ProductsBody {
  products: Array<ProductBody>;
}

export interface ProductBody {
  title?: string | null;
  category?: string | null;
  brand?: string | null;
  price?: number | null;
  currency?: string | null;
  url?: string | null;
  image_url?: string | null;
  in_stock?: boolean;
  cost?: number | null;
  hidden?: boolean;
  markets?: Array<string> | null;
  available_from?: string | null;
  available_until?: string | null;
  attributes?: Record<string, string | number | boolean | null>;
  product_id: string;
}

export interface ProductsAnswer {
  written: number;
  rejected: Array<RejectedProduct>;
}

export interface RejectedProduct {
  index: number;
  product_id: string | null;
  errors: Array<FieldProblem>;
}

export interface KnownProduct {
  product_id: string;
  document: Record<string, unknown>;
  card: ProductFacts | null;
}

export interface ProductFacts {
  title?: string | null;
  category?: string | null;
  brand?: string | null;
  price?: number | null;
  currency?: string | null;
  price_text?: string | null;
  url?: string | null;
  image_url?: string | null;
  in_stock?: boolean | null;
  attributes?: Record<string, unknown>;
}

export interface ProductFields {
  title?: string | null;
  category?: string | null;
  brand?: string | null;
  price?: number | null;
  currency?: string | null;
  url?: string | null;
  image_url?: string | null;
  in_stock?: boolean;
  cost?: number | null;
  hidden?: boolean;
  markets?: Array<string> | null;
  available_from?: string | null;
  available_until?: string | null;
  attributes?: Record<string, string | number | boolean | null>;
}

export interface ProductDocument {
  product_id: string;
  document: Record<string, unknown>;
}

export interface ConsentBody {
  train?: boolean | null;
  personalize_web?: boolean | null;
  personalize_email?: boolean | null;
  measure?: boolean | null;
  time?: string | null;
}

export interface ConsentAnswer {
  customer_id: string;
  consent: Record<string, unknown>;
}

export interface PreferencesAnswer {
  customer_id: string;
  likes: Array<SaidPreference>;
  avoids: Array<SaidPreference>;
  needs: Array<SaidPreference>;
  time: string | null;
  warnings: Array<MistakenValue>;
}

export interface SaidPreference {
  attribute: string;
  values: Array<string>;
}

export interface MistakenValue {
  field: string;
  problem: string;
}

export interface PreferencesBody {
  likes?: Array<PreferenceBody>;
  avoids?: Array<PreferenceBody>;
  needs?: Array<PreferenceBody>;
}

export interface PreferenceBody {
  attribute: string;
  values: Array<string | number | boolean>;
}

export interface UnusedBody {
  product_id: string;
  unused?: boolean;
}

export interface ProfileOptions {
  n?: number;
  as_of?: string | null;
  locale?: string | null;
}

export interface ProfileAnswer {
  customer_id: string;
  consent: Record<string, unknown>;
  used_for: Array<string>;
  known: Record<string, unknown>;
  segment: string | null;
  products: Array<Record<string, unknown>>;
  slate: ProfileSlate;
  offers: Array<Record<string, unknown>>;
}

export interface ProfileSlate {
  strategy: string;
  fallback_reason: string | null;
  recommendations: Array<ExplainedProduct>;
}

export interface ExplainedProduct {
  id: string;
  title: string | null;
  reason: ReasonBody;
}

export interface Receipt {
  customer_id: string;
  known: boolean;
  deleted: Record<string, number>;
  forgotten: string;
  versions_with_history: Array<Record<string, unknown>>;
  last_pruned_by: string | null;
  reports: Array<Record<string, unknown>>;
  insights: boolean | null;
  text: string;
}

export interface TokenBody {
  customer_id?: string | null;
  session_id?: string | null;
  minutes?: number | null;
}

export interface TokenAnswer {
  token: string;
  expires: string;
}

export interface NewEvent {
  event_id?: string;
  kind: string;
  time?: string;
  customer_id?: string | null;
  session_id?: string | null;
  product_id?: string | null;
  product_ids?: Array<string> | null;
  order_id?: string | null;
  lines?: Array<LineBody> | null;
  currency?: string | null;
  market?: string | null;
  placement?: string | null;
  recommendation_id?: string | null;
  rating?: number | string | null;
  words?: string | null;
}

export interface Calls {
  /** Recommend products for a customer. */
  slate(customer_id: string, options?: SlateOptions): Promise<SlateAnswer>;
  /** Recommend products for a visit. */
  visit(options?: SessionOptions): Promise<SlateAnswer>;
  /** Recommend products for all parts of a page. */
  page(options: PageOptions): Promise<PageAnswer>;
  /** Put given products in order. */
  rank(options: RankingOptions): Promise<RankingAnswer>;
  /** Recommend products for many customers. */
  batch(options: BatchOptions): Promise<BatchAnswer>;
  /** Recommend products similar to a product. */
  similar(product_id: string, options?: SimilarOptions): Promise<SlateAnswer>;
  /** Recommend bundles around a product. */
  bundles(product_id: string, options?: BundlesOptions): Promise<BundleAnswer>;
  /** Recommend products that complete a basket. */
  basketBundles(options: BasketOptions): Promise<BundleAnswer>;
  /** Recommend popular products. */
  popular(options?: PopularOptions): Promise<SlateAnswer>;
  /** Read a list of new, cheaper, returned or best rated products. */
  shopList(name: string, options?: ShopListOptions): Promise<ListAnswer>;
  /** Read what a customer looked at lately. */
  recentlyViewed(customer_id: string, options?: RecentlyViewedOptions): Promise<ListAnswer>;
  /** List products a customer is due to buy again. */
  replenishment(customer_id: string, options?: ReplenishmentOptions): Promise<DueAnswer>;
  /** Recommend products that go with an order. */
  followUp(order_id: string, options?: FollowUpOptions): Promise<SlateAnswer>;
  /** Report events. */
  report(options: EventsBody): Promise<EventsAnswer>;
  /** Create or replace products. */
  putProducts(options: ProductsBody): Promise<ProductsAnswer>;
  /** Read a product. */
  product(product_id: string): Promise<KnownProduct>;
  /** Change fields of a product. */
  changeProduct(product_id: string, options?: ProductFields): Promise<ProductDocument>;
  /** Delete a product. */
  deleteProduct(product_id: string): Promise<ProductDocument>;
  /** Set what a customer allows. */
  setConsent(customer_id: string, options?: ConsentBody): Promise<ConsentAnswer>;
  /** Read what a customer likes, avoids and needs. */
  preferences(customer_id: string): Promise<PreferencesAnswer>;
  /** Set what a customer likes, avoids and needs. */
  setPreferences(customer_id: string, options?: PreferencesBody): Promise<PreferencesAnswer>;
  /** Take back what a customer likes, avoids and needs. */
  deletePreferences(customer_id: string): Promise<PreferencesAnswer>;
  /** Stop using a product for a customer, or use it again. */
  setUnused(customer_id: string, options: UnusedBody): Promise<UnusedBody>;
  /** Show what is known about a customer. */
  profile(customer_id: string, options?: ProfileOptions): Promise<ProfileAnswer>;
  /** Erase a customer. */
  forget(customer_id: string): Promise<Receipt>;
  /** Make a customer token for the browser. */
  token(options?: TokenBody): Promise<TokenAnswer>;
}
